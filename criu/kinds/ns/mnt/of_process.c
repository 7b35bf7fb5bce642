// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mounts on files of a process in proc (masks), and of such files (binds): /proc/PID/... is there when the process is, so they are
 * cloned and attached when all tasks exist. The first process of the root's pid namespace exists when its proc does.
 */
#include "kinds/ns/mnt/of_process.h"
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "kinds/ns/mnt/external.h"
#include "kinds/ns/mnt/fs_type.h"
#include "run/dump.h"
#include "run/restore.h"
#include "util/log.h"

/* The process that @path, in proc, is a file of; 0: of none. *ret_name: its path in that directory. */
static pid_t process_of(const char *path, const char **ret_name)
{
	char *end;
	unsigned long nr;

	while (*path == '/')
		path++;
	if (!isdigit((unsigned char)*path))
		return 0;
	nr = strtoul(path, &end, 10);
	*ret_name = end + strspn(end, "/");
	return nr <= INT32_MAX && (!*end || *end == '/') ? (pid_t)nr : 0;
}

/* A process has it from the beginning. Its threads, descriptors and mappings are restored later. */
static bool is_there_early(const char *name)
{
	return !strchr(name, '/') || !strncmp(name, "attr/", 5);
}

static bool is_whole_proc(const struct mount *mount)
{
	return mount->fs->type && mount->fs->type->of_pid_ns && !mount->fs->shown && !strcmp(mount->entry->root, "/");
}

/* ---- dump ---- */

static const struct dump_task *find_task(struct dump *dump, pid_t pid)
{
	const struct dump_task *task;

	if (!dump->pid_level)
		return dump_find_task(dump, pid);
	dump_for_each_task(task, dump)
		if (task->t.pid == pid)
			return task;
	return NULL;
}

#define LATE "a thread, descriptor or mapping of a process"

/* NULL: it can be restored. */
static const char *obstacle(struct dump *dump, pid_t pid, const char *name)
{
	const struct dump_task *task = find_task(dump, pid);

	if (!task)
		return "a process that is not in the tree";
	if (task->t.state == TASK_DEAD)
		return "a process that has exited";
	return is_there_early(name) ? NULL : LATE;
}

static void refuse(struct dump *dump, const struct mount *mount, const char *how, const char *why)
{
	const char *at = mount->info->mountpoint;

	mount_blocker(dump,
		      "mount %s %s %s, in proc: that is not supported; unmount it, or leave it out (--skip-mnt %s)", at,
		      how, why, at);
}

void mount_check_process_point(struct dump *dump, const struct mount *mount)
{
	const struct mount *parent = mount->parent;
	const char *below, *name = "", *why;
	pid_t pid;

	if (!parent || strcmp(parent->info->fstype, "proc") || (parent->fs->type && !is_whole_proc(parent)))
		return;
	below = mount_below(MOUNT_NAME(parent), MOUNT_NAME(mount));
	pid = below ? process_of(below, &name) : 0;
	if (pid <= 1)
		return;
	if (parent->fs->type)
		why = obstacle(dump, pid, name);
	else
		why = find_task(dump, pid) ? "a process of the tree, in one from outside" : NULL;
	if (why)
		refuse(dump, mount, "is on a file of", why);
}

void mount_check_process_shown(struct dump *dump, const struct mount *mount)
{
	const char *name = "", *why;
	pid_t pid = process_of(mount->entry->root, &name);

	if (pid <= 1)
		return;
	/* All processes of a nested pid namespace are in the tree. */
	if (mount->fs->shown)
		why = is_there_early(name) ? NULL : LATE;
	else
		why = obstacle(dump, pid, name);
	if (why)
		refuse(dump, mount, "shows a file of", why);
}

/* ---- restore ---- */

static int note(struct restore *r, const struct mount *mount, const char *path, bool *ret)
{
	const char *name = "";
	pid_t pid = process_of(path, &name);
	const struct restore_task *task = pid > 1 ? hash_get_ptr(&r->plan.task_by_pid, (uint64_t)pid) : NULL;

	if (pid <= 1)
		return 0;
	if (!task || task->t.state == TASK_DEAD || !is_there_early(name))
		return fail(-EBADMSG, "mountpoints-%u.img: mount %s: process %d, or its file, does not exist by then",
			    mount->of->ns->id, MOUNT_NAME(mount), pid);
	*ret = true;
	return 0;
}

int mount_note_process(struct restore *r, struct mount *mount)
{
	const struct mount *parent = mount->parent;
	const char *below = parent && is_whole_proc(parent) ? mount_below(MOUNT_NAME(parent), MOUNT_NAME(mount)) : NULL;
	bool on = false, shows = false;
	int err = below ? note(r, mount, below, &on) : 0;

	if (!err && !mount_is_external(mount) && !mount->fs->origins && mount->fs->type && mount->fs->type->of_pid_ns &&
	    !mount->fs->shown)
		err = note(r, mount, mount->entry->root, &shows);
	mount->shows_process = shows;
	if (!err && (on || shows))
		mount->deferred = mount->of_nested = r->plan.all_born_first = true;
	return err;
}
