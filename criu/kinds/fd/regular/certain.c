// SPDX-License-Identifier: GPL-2.0-only
/*
 * Files that a restore could not open: a task has no permission to open them (any more), and nothing proves that the path
 * leads to the same file (run/names.h). Checked where the file system has no times of creation.
 */
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>
#include "base/bits.h"
#include "base/cleanup.h"
#include "kernel/device.h"
#include "kinds/fd/regular/internal.h"
#include "run/path.h"
#include "run/trusted_path.h"
#include "util/fds.h"
#include "util/proc_root.h"

enum { MAY_SEARCH = 1, MAY_WRITE = 2, MAY_READ = 4 };

static bool in_group(const struct proc_status *status, gid_t gid)
{
	bool is = status->gid[PROC_FS] == gid;

	for (size_t i = 0; i < status->groups.n; i++)
		is |= status->groups.v[i] == gid;
	return is;
}

/* Access control lists are left to the restore. */
static bool has_acl(int fd)
{
	char path[PROC_FD_NAME_MAX];

	proc_fd_path(path, fd);
	return getxattr(path, "system.posix_acl_access", NULL, 0) > 0; /* style: fgetxattr(2) takes no O_PATH */
}

/* A task in another user namespace than the root opens files before it enters that, without capabilities. */
static bool has_capability(const struct dump *dump, const struct dump_task *task, uint64_t any)
{
	return task->ns[NS_USER] == dump_task_of(dump->tree.root)->ns[NS_USER] && task->threads[0].status.cap_eff & any;
}

/* By permissions alone: @need as in the last digit of a mode. */
static bool may(const struct dump *dump, const struct dump_task *task, int fd, const struct stat *st, unsigned need)
{
	const struct proc_status *status = &task->threads[0].status;
	uint64_t caps = BIT(CAP_DAC_OVERRIDE);
	unsigned has = st->st_mode;

	if (need == MAY_READ || (need == MAY_SEARCH && S_ISDIR(st->st_mode)))
		caps |= BIT(CAP_DAC_READ_SEARCH);
	if (has_capability(dump, task, caps) && id_map_has(&dump->uid_map, st->st_uid) &&
	    id_map_has(&dump->gid_map, st->st_gid))
		return true;
	if (st->st_uid == status->uid[PROC_FS])
		has >>= 6;
	else if (in_group(status, st->st_gid))
		has >>= 3;
	return (has & need) == need || has_acl(fd);
}

/* Of a task: each directory is examined once, not for each file below it. */
struct searchable {
	struct record record; /* hash of the task and the mount, of the path */
	const struct dump_task *task;
	int mnt_id;
	const char *dir;
};

static bool may_search(struct dump *dump, const struct subject *s, const char *dir)
{
	const uint64_t key = hash_mix(hash_mix((uint64_t)s->task->t.host_pid) ^ (uint32_t)s->mnt_id);
	struct record_table *table = &regular_dump_data(dump)->searchable;
	struct searchable *known = record_find(table, key, hash_str(dir));
	_cleanup_close_ int fd = -1;
	struct stat st;

	if (known && known->task == s->task && known->mnt_id == s->mnt_id && !strcmp(known->dir, dir))
		return true;
	fd = path_open(&dump->roots, s->mnt_id, dir, O_PATH | O_DIRECTORY);
	if (fd >= 0 && !fstat(fd, &st) && !may(dump, s->task, fd, &st, MAY_SEARCH))
		return false;
	known = known ? NULL : record_new(&dump->arena, table, key, hash_str(dir), sizeof(*known));
	if (known)
		*known = (struct searchable){ known->record, s->task, s->mnt_id, dump_strdup(dump, dir) ?: "" };
	return true;
}

/* Every directory, whoever owns it: all ids are mapped. */
static bool may_search_all(const struct dump *dump, const struct dump_task *task)
{
	return !dump->uid_map.read && !dump->gid_map.read &&
	       has_capability(dump, task, BIT(CAP_DAC_OVERRIDE) | BIT(CAP_DAC_READ_SEARCH));
}

/* May it look up the path? Each directory on it has to be searched. */
static bool may_reach(struct dump *dump, const struct subject *s, const char *name)
{
	char dir[PATH_MAX];

	if (*name != '/' || strlen(name) >= sizeof(dir) || may_search_all(dump, s->task))
		return true;
	for (const char *end = strchr(name + 1, '/'); end; end = strchr(end + 1, '/')) {
		memcpy(dir, name, (size_t)(end - name));
		dir[end - name] = 0;
		if (!may_search(dump, s, dir))
			return false;
	}
	return may_search(dump, s, "/");
}

static bool may_open(struct dump *dump, const struct subject *s, const char *name)
{
	static const unsigned wanted[] = { [O_RDONLY] = MAY_READ,
					   [O_WRONLY] = MAY_WRITE,
					   [O_RDWR] = MAY_READ | MAY_WRITE,
					   [O_ACCMODE] = MAY_READ | MAY_WRITE };
	unsigned need = s->flags & O_PATH ? 0 : wanted[s->flags & O_ACCMODE];

	/* A check, which does not look at threads. */
	if (!s->task->nr_threads)
		return true;
	return may(dump, s->task, s->local, &s->st, need) && may_reach(dump, s, name);
}

/* The files of the tree's own, and those of /proc, are not those of the dump in any case. */
static bool is_recreated(const struct dump *dump, const struct subject *s)
{
	struct statfs fs;
	uint64_t any;

	return hash_get(&dump->saved_fs, kdev_make(major(s->st.st_dev), minor(s->st.st_dev)), &any) ||
	       fstatfs(s->local, &fs) < 0 || fs.f_type == PROC_SUPER_MAGIC;
}

void regular_check_certain(struct dump *dump, const struct subject *s, const char *name)
{
	char why[TRUST_WHY_MAX] = "";
	int fd;

	if (s->birth || S_ISLNK(s->st.st_mode) || !s->st.st_nlink || may_open(dump, s, name) || is_recreated(dump, s))
		return;
	fd = trusted_path_open(NULL, path_from(&dump->roots, s->mnt_id, name), true, why);
	if (fd >= 0)
		close(fd);
	else
		dump_blocker(
			dump, s->task, s->fd,
			"%s: its user may not open it, the file system has no times of creation, by which it would be recognized, and others may put another file in its place (%s): that is not supported; give the user permission to open it, or close it",
			name, why);
}
