// SPDX-License-Identifier: GPL-2.0-only
/* Mounts that come from outside: the root, and external ones. */
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "kernel/mountinfo.h"
#include "kernel/ns_run.h"
#include "kernel/proc_pid.h"
#include "kinds/ns/mnt/restore.h"
#include "kinds/ns/mnt/whole.h"
#include "run/path.h"
#include "util/fds.h"
#include "util/log.h"

/* The directory of --root was opened before, with the rights of the user who gave it. */
static int check_root(const struct restore *r, int fd)
{
	struct stat now, then;

	if (r->roots.root < 0 || fstat(fd, &now) < 0 || fstat(r->roots.root, &then) < 0)
		return 0;
	return now.st_dev == then.st_dev && now.st_ino == then.st_ino ? 0 : -ESTALE;
}

/* It was shared with the host, or a slave of it: so must the mount be that it is copied from. */
static int check_group(int at, const struct mount *mount)
{
	_cleanup_mountinfo_ struct mountinfo all = { 0 };
	_cleanup_proc_ struct proc self = PROC_CLOSED;
	const struct mount_info *info;
	struct statx sx;
	int err = proc_open_self(&self);

	if (!err)
		err = mountinfo_read(&self, &all);
	/* Nothing else is asked for: what a FUSE file system would need its server for. */
	if (!err && statx(at, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, 0, &sx) < 0)
		err = -errno;
	if (err)
		return fail(err, "mount %s: find the mount of %s", MOUNT_NAME(mount), mount->source);
	info = mountinfo_find(&all, (int)sx.stx_mnt_id);
	if (info && (info->shared_id || (info->master_id && (!mount->outer_peer || mount->covered)))) {
		if (!info->shared_id && mount->outer_peer)
			log_warn(
				"mount %s becomes a slave of the mount of the host, not its peer: others are mounted over that",
				MOUNT_NAME(mount));
		return 0;
	}
	return fail(
		-EINVAL,
		"mount %s was a slave or a peer of a mount of the host: the mount of %s must be shared (mount --make-shared)",
		MOUNT_NAME(mount), mount->source);
}

static int copy_source(struct restore *r, const struct mount *mount, bool as_peer)
{
	_cleanup_close_ int at = path_open(&PATH_OWN, PATH_ROOT_MOUNT, mount->source, O_PATH), fd = -1;
	struct mount_attr attr = { .propagation = MS_PRIVATE };
	int err;

	if (at < 0)
		return fail(at, "mount %s: open %s", MOUNT_NAME(mount), mount->source);
	err = mount_is_external(mount) && mount == mount->of->root && !mount->of->nested ? check_root(r, at) : 0;
	if (err)
		return fail(err, "the root directory %s (--root) was replaced", mount->source);
	fd = open_tree(at, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (fd < 0 && errno == EINVAL && !r->tool.rights.initial_user_ns)
		return fail(
			-EINVAL,
			"mount %s: copy %s: mounts of an outer user namespace below it are locked (mount_namespaces(7)): "
			"give it a directory without such mounts (--root), or run criu as root outside",
			MOUNT_NAME(mount), mount->source);
	if (fd < 0)
		return fail(-errno, "mount %s: copy %s", MOUNT_NAME(mount), mount->source);
	if (mount->outer_group) {
		err = check_group(at, mount);
		if (err || as_peer)
			return err ? err : steal_fd(&fd);
		/* At once: no root can be made of a mount that is shared (pivot_root(2)). */
		attr.propagation = mount->outer_peer ? MS_PRIVATE : MS_SLAVE;
	}
	/* Nothing that is mounted on it may appear elsewhere: a peer gets its group at the end. */
	return mount_setattr(fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0 ?
		       fail(-errno, "mount %s: end its propagation to others", MOUNT_NAME(mount)) :
		       steal_fd(&fd);
}

struct covered {
	struct restore *r;
	const struct mount *mount;
	bool as_peer;
	int fd;
};

/* In a copy of the tool's mount namespace. */
static int uncover(void *arg)
{
	struct covered *covered = arg;
	const struct mount *mount = covered->mount;
	int err = mounts_keep_apart();

	if (err)
		return fail(err, "mount %s: a copy of the mount namespace", MOUNT_NAME(mount));
	for (unsigned i = 0; i < mount->covered; i++)
		if (umount2(mount->source, MNT_DETACH | UMOUNT_NOFOLLOW) < 0) /* style: takes no descriptor */
			return fail(-errno, "mount %s: %s is not covered by as many mounts as it was",
				    MOUNT_NAME(mount), mount->source);
	covered->fd = copy_source(covered->r, mount, covered->as_peer);
	return covered->fd < 0 ? covered->fd : 0;
}

static int open_source(struct restore *r, const struct mount *mount, bool as_peer)
{
	struct covered covered = { r, mount, as_peer, -1 };
	int result = 0, err;

	if (mount->entry->ext_key && !strcmp(mount->entry->ext_key, MOUNT_DEV_KEY))
		return mount_create_fs(mount, NULL);
	if (!mount->covered)
		return copy_source(r, mount, as_peer);
	err = ns_run_in_new(&(struct ns_targets){ .fresh = CLONE_NEWNS }, uncover, &covered, &result);
	if (err)
		return fail(err, "copy the mount namespace");
	return result ? result : covered.fd;
}

int mount_open_source(struct restore *r, const struct mount *mount)
{
	return open_source(r, mount, false);
}

int mount_open_peer(struct restore *r, const struct mount *mount)
{
	return open_source(r, mount, true);
}

static int check_source(struct restore *r, const struct mount *mount)
{
	_cleanup_close_ int fd = -1;

	if (!mount->source || mount->covered ||
	    (mount->entry->ext_key && !strcmp(mount->entry->ext_key, MOUNT_DEV_KEY)))
		return 0;
	fd = path_open(&PATH_OWN, PATH_ROOT_MOUNT, mount->source, O_PATH);
	return fd < 0 ? fail(fd, "mount %s: open %s", MOUNT_NAME(mount), mount->source) : 0;
}

int mounts_check_sources(struct restore *r)
{
	struct mount *mount;
	const struct ns *ns;

	ns_for_each(ns, &r->plan.namespaces, NS_MNT)
		if (!ns->own && !ns->joined && ns->data)
			mounts_for_each(mount, (const struct mounts *)ns->data)
				check_source(r, mount);
	return 0;
}
