// SPDX-License-Identifier: GPL-2.0-only
/*
 * Dump: sysfs shows the network namespace of whoever mounts it, mqueue the IPC namespace. The kernel has one of each for a
 * namespace: if another one is mounted there, detached, it is the same. Proc shows a pid namespace, with its first process.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "kernel/device.h"
#include "kernel/ns_run.h"
#include "kernel/proc_pid.h"
#include "kinds/ns/mnt/fs_type.h"
#include "kinds/ns/mnt/save.h"
#include "kinds/ns/mnt/whole.h"
#include "util/fds.h"
#include "util/hash.h"
#include "util/log.h"

struct shown {
	const char *fstype;
	uint32_t dev;
};

static int mount_detached(void *arg)
{
	struct shown *shown = arg;
	_cleanup_close_ int fs = fsopen(shown->fstype, FSOPEN_CLOEXEC), fd = -1;
	struct stat st;

	if (fs < 0 || fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return -errno;
	fd = fsmount(fs, FSMOUNT_CLOEXEC, 0);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	shown->dev = kdev_make(major(st.st_dev), minor(st.st_dev));
	return 0;
}

/* 1: @mount shows it. */
static int is_shown(const struct mount *mount, const struct ns *ns)
{
	const struct dump_task *member = dump_task_of(ns->member);
	struct shown shown = { .fstype = mount->fs->type->name };
	_cleanup_close_ int fd = open_fmt(member->proc.dir, O_RDONLY | O_CLOEXEC, "ns/%s", ns_type_name(ns->type));
	int result = 0, err = fd < 0 ? fd : ns_run_in(&fd, 1, mount_detached, &shown, &result);

	err = err ?: result;
	return err ? err : shown.dev == mount->entry->root_dev;
}

static void put_shown(struct mount *mount, const struct ns *shown)
{
	mount->fs->shown = shown;
	mount->entry->has_shown_ns = true;
	mount->entry->shown_ns = shown->id;
}

static bool are_several(const struct dump *dump, enum ns_type type)
{
	const struct ns *ns;
	size_t nr = 0;

	ns_for_each(ns, &dump->namespaces, type)
		nr++;
	return nr > 1;
}

static int find(struct dump *dump, struct mount *mount, enum ns_type type, const struct ns **ret)
{
	const struct ns *ns;

	ns_for_each(ns, &dump->namespaces, type) {
		int shown = ns->member ? is_shown(mount, ns) : 0;

		if (shown > 0)
			*ret = ns;
		if (shown)
			return shown > 0 ? 1 :
					   fail(shown, "mount %s: mount another %s in the %s namespace of process %d",
						MOUNT_NAME(mount), mount->fs->type->name, ns_type_name(type),
						dump_task_of(ns->member)->t.host_pid);
	}
	return 0;
}

/* ---- proc ---- */

static int open_here(void *arg)
{
	const struct mount *whole = arg;

	return mount_open_whole(whole);
}

/* Its root directory, also if something else is mounted there. */
static int open_proc(const struct mount *whole)
{
	const struct dump_task *member = dump_task_of(whole->of->ns->member);
	_cleanup_close_ int mnt = proc_ns_open(&member->proc, PROC_NS_MNT);
	int fd = -1, err = mnt < 0 ? mnt : ns_run_in(&mnt, 1, open_here, (void *)whole, &fd);

	return err ? err : fd;
}

/* Its first process is in the namespace that it shows. 0: it has none, or that cannot be seen. */
static uint64_t pid_ns_of_proc(const struct mount *whole)
{
	_cleanup_close_ int dir = open_proc(whole);
	struct stat st;

	return dir < 0 || fstatat(dir, "1/ns/pid", &st, 0) < 0 ? 0 : st.st_ino;
}

static const struct ns *find_by_proc(struct dump *dump, const struct mount *whole)
{
	const struct ns *ns;
	const uint64_t ino = pid_ns_of_proc(whole);

	ns_for_each(ns, &dump->namespaces, NS_PID)
		if (ns->ino == ino && (!ns->depth || (ns->init && ns->init->state != TASK_DEAD)))
			return ns;
	return NULL;
}

int mount_find_shown_pid_ns(struct dump *dump, struct mount *mount)
{
	const struct ns *of_root = dump_task_of(dump->tree.root)->ns[NS_PID];
	struct mount_fs *fs = mount->fs;
	const struct ns *ns;

	if (!fs->whole || !of_root || !are_several(dump, NS_PID))
		return 1;
	ns = hash_get_ptr(&dump->shown_pid_ns, fs->dev);
	if (!ns)
		ns = find_by_proc(dump, fs->whole);
	if (!ns || (!ns->depth && ns != of_root))
		return 0;
	if (hash_put_ptr(&dump->shown_pid_ns, fs->dev, ns))
		return fail(-ENOMEM, "mounts");
	if (ns->depth)
		put_shown(mount, ns);
	return 1;
}

/* ---- the others ---- */

int mount_find_shown(struct dump *dump, struct mount *mount, enum ns_type type)
{
	const struct ns *shown = mount->fs->shown, *of_root = dump_task_of(dump->tree.root)->ns[type];
	int found = shown || !are_several(dump, type) ? 1 : find(dump, mount, type, &shown);

	if (found <= 0 || !shown || shown == of_root)
		return found;
	put_shown(mount, shown);
	return 1;
}
