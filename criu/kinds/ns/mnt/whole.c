// SPDX-License-Identifier: GPL-2.0-only
/*
 * Opens a file system as a whole. One that is hidden by another mount becomes visible in a copy of the mount namespace, where
 * what hides it is unmounted. An unbindable one becomes private there.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "kinds/ns/mnt/whole.h"
#include "kernel/device.h"
#include "kernel/mountinfo.h"
#include "kernel/ns_run.h"
#include "kernel/proc_pid.h"
#include "kinds/ns/mnt/content.h"
#include "kinds/ns/mnt/fs_type.h"
#include "kinds/ns/mnt/idmap.h"
#include "kinds/ns/mnt/mount.h"
#include "run/path.h"
#include "util/fds.h"
#include "util/log.h"
#include "util/proc_root.h"

#ifndef SYS_open_tree_attr
#define SYS_open_tree_attr 467 /* Linux 6.15 */
#endif

static int mount_id_of(int fd)
{
	struct statx sx;

	return statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &sx) < 0 ? -errno : (int)sx.stx_mnt_id;
}

/*
 * Of a detached copy: nothing is mounted on that, and reading changes no access times (there is no O_NOATIME for symbolic
 * links); of proc there are none, and in a user namespace that cannot be set. If it is idmapped, the copy is not. -EINVAL: an
 * unbindable mount has no copies.
 */
static int open_alone(int at, const struct mount *mount)
{
	const bool plain = mount_is_idmapped(mount->info), has_times = !mount->fs->type || !mount->fs->type->of_pid_ns;
	struct mount_attr noatime = { .attr_set = MOUNT_ATTR_NOATIME, .attr_clr = MOUNT_ATTR__ATIME };
	const unsigned flags = AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC;
	_cleanup_close_ int copy = -1;
	struct stat st;

	if (!plain) {
		copy = open_tree(at, "", flags);
		if (copy < 0 || (has_times && mount_setattr(copy, "", AT_EMPTY_PATH, &noatime, sizeof(noatime)) < 0))
			return -errno;
	} else {
		noatime.attr_clr |= MOUNT_ATTR_IDMAP;
		copy = (int)syscall(SYS_open_tree_attr, at, "", flags, &noatime, sizeof(noatime));
		if (copy < 0)
			return -errno;
	}
	if (fstat(copy, &st) < 0)
		return -errno;
	return S_ISDIR(st.st_mode) ? open_at(copy, ".", O_RDONLY | O_DIRECTORY, 0) : steal_fd(&copy);
}

struct uncover {
	const struct mount *mount;
	int fd;
};

/* Where the way to @path ends: it, or the last directory on it that is there. */
static int open_way(const char *path)
{
	char part[PATH_MAX];
	int fd = str_format(part, sizeof(part), "%s", path);

	while (!fd) {
		char *slash = strrchr(part, '/');

		fd = path_open(&PATH_OWN, PATH_ROOT_MOUNT, *part ? part : "/", O_PATH | O_NOFOLLOW);
		if (fd >= 0 || (fd != -ENOENT && fd != -ENOTDIR) || !slash)
			break;
		*slash = 0;
		fd = 0;
	}
	return fd;
}

/* One step: opens it, or unmounts what is in the way. -EAGAIN: it did that. */
static int uncover_once(struct uncover *u)
{
	_cleanup_mountinfo_ struct mountinfo all = { 0 };
	_cleanup_proc_ struct proc self = PROC_CLOSED;
	_cleanup_close_ int at = open_way(MOUNT_NAME(u->mount));
	int id = at < 0 ? at : mount_id_of(at), err = id < 0 ? id : proc_open_self(&self);
	const struct mount_info *found;

	if (!err)
		err = mountinfo_read(&self, &all);
	if (err)
		return err;
	found = mountinfo_find(&all, id);
	if (!found)
		return -ENOENT;
	if (kdev_make(found->dev_major, found->dev_minor) == u->mount->entry->root_dev &&
	    !strcmp(found->root, u->mount->info->root) && !strcmp(found->mountpoint, MOUNT_NAME(u->mount))) {
		u->fd = open_alone(at, u->mount);
		return u->fd < 0 ? u->fd : 0;
	}
	return umount2(found->mountpoint, MNT_DETACH | UMOUNT_NOFOLLOW) < 0 ? -errno : -EAGAIN; /* style: takes no fd */
}

static int set_all(uint64_t propagation)
{
	_cleanup_close_ int root = path_open(&PATH_OWN, PATH_ROOT_MOUNT, "/", O_PATH | O_DIRECTORY);
	struct mount_attr attr = { .propagation = propagation };

	if (root < 0)
		return root;
	return mount_setattr(root, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof(attr)) < 0 ? -errno : 0;
}

int mounts_make_private(void)
{
	return set_all(MS_PRIVATE);
}

int mounts_keep_apart(void)
{
	return set_all(MS_SLAVE);
}

static int uncover(void *arg)
{
	int err = mounts_make_private();

	if (err)
		return err;
	do {
		err = uncover_once(arg);
	} while (err == -EAGAIN);
	return err;
}

/*
 * By the user namespace that owns the mount namespace of this process: in a copy that another one owns all mounts are locked, and
 * nothing can be unmounted.
 */
static int open_hidden(struct uncover *hidden)
{
	_cleanup_close_ int mnt = open_fmt(proc_root(), O_RDONLY | O_CLOEXEC, "self/ns/mnt"), owner = -1;
	int result = 0, err = mnt < 0 ? mnt : mount_ns_owner_of(mnt, &owner);

	if (!err)
		err = ns_run_in_new(&(struct ns_targets){ &owner, owner >= 0, CLONE_NEWNS }, uncover, hidden, &result);
	err = err ?: result;
	return err ? err : hidden->fd;
}

int mount_open_whole(const struct mount *mount)
{
	_cleanup_close_ int at = path_open(&PATH_OWN, PATH_ROOT_MOUNT, MOUNT_NAME(mount), O_PATH | O_NOFOLLOW);
	struct uncover hidden = { mount, -1 };

	if (at >= 0 && mount_id_of(at) == (int)mount->entry->mnt_id) {
		int fd = open_alone(at, mount);

		if (fd != -EINVAL)
			return fd;
	}
	return open_hidden(&hidden);
}
