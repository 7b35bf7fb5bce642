// SPDX-License-Identifier: GPL-2.0-only
/*
 * File systems, and detached mounts of them. A file system is created, or opened, once; the mount of all of it takes that one,
 * and the others are copies (binds) of it, made while nothing is mounted on it.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "kinds/ns/mnt/fs_type.h"
#include "kinds/ns/mnt/restore.h"
#include "util/fds.h"
#include "util/log.h"

/* Kept until the first process of the namespace has finished it. */
static int keep(struct restore *r, int fd)
{
	int moved = fd < 0 ? fd : move_fd_above(fd, r->service_base);

	if (fd >= 0 && moved < 0)
		close(fd);
	return moved;
}

static int fill_fs(struct restore *r, const struct ns *ns, struct mount *whole, int fd)
{
	if (!whole->fs->type->fill)
		return 0;
	_cleanup_close_ int dir = open_at(fd, ".", O_RDONLY | O_DIRECTORY, 0);
	return dir < 0 ? fail(dir, "mount %s: open it", MOUNT_NAME(whole)) : whole->fs->type->fill(r, ns, whole, dir);
}

static int open_origin(struct restore *r, struct mount_origin *origin)
{
	if (origin->fd < 0)
		origin->fd = keep(r, mount_open_source(r, origin->mount));
	return origin->fd < 0 ? origin->fd : 0;
}

static int create_origin(struct restore *r, const struct ns *ns, struct mount_fs *fs)
{
	int fd = mount_create_fs(fs->whole), err;

	if (fd < 0)
		return fd;
	err = fill_fs(r, ns, fs->whole, fd);
	fd = keep(r, fd);
	if (!err && fd >= 0 && !mount_origin_add(fs, &r->arena, "/", NULL))
		err = fail(-ENOMEM, "mounts");
	if (err || fd < 0)
		return err ?: fail(fd, "keep a mount open");
	fs->origins->fd = fd;
	return 0;
}

/* Does its file system have to wait? */
static bool waits(const struct mount *mount)
{
	return mount->fs->type && mount->fs->type->of_pid_ns;
}

static int open_fs(struct restore *r, const struct ns *ns, struct mount *mount)
{
	if (!mount->fs->origins)
		return create_origin(r, ns, mount->fs);
	return mount_is_external(ns->data, mount) ? open_origin(r, mount_origin_of(mount->fs, mount->entry->root)) : 0;
}

/* ---- copies ---- */

static int open_part(int dir, const char *path)
{
	struct open_how how = { .flags = O_PATH | O_CLOEXEC | O_NOFOLLOW,
				.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV };
	int fd = (int)syscall(SYS_openat2, dir, path, &how, sizeof(how));

	return fd < 0 ? -errno : fd;
}

/*
 * Kernels before 6.15 only copy what is attached in the mount namespace of the caller: it is attached for a moment, to the root,
 * which nobody uses yet.
 */
static int copy_attached(int origin, int part)
{
	int fd, err;

	if (move_mount(origin, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return -errno;
	fd = open_tree(part, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	err = fd < 0 ? -errno : 0;
	return err ?: fd;
}

static int copy(struct restore *r, struct mount_origin *origin, const struct mount *mount)
{
	const char *path = mount_below(origin->root, mount->entry->root);
	_cleanup_close_ int part = open_part(origin->fd, *path ? path : ".");
	int fd;

	if (part < 0)
		return fail(part, "mount %s: open %s of its file system", MOUNT_NAME(mount), mount->entry->root);
	fd = open_tree(part, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (fd < 0 && errno == EINVAL)
		fd = copy_attached(origin->fd, part);
	fd = keep(r, fd < 0 ? -errno : fd);
	return fd < 0 ? fail(fd, "mount %s: copy a mount", MOUNT_NAME(mount)) : fd;
}

/* The one that gets the origin itself. */
static bool takes(const struct mount_origin *origin, const struct mount *mount)
{
	return origin->mount ? origin->mount == mount : mount->fs->whole == mount && !strcmp(mount->entry->root, "/");
}

int mounts_clone(struct restore *r, const struct ns *ns, struct mounts *m, bool deferred)
{
	struct mount *mount;
	int err = 0;

	mounts_for_each(mount, m)
		if (!err && waits(mount) == deferred)
			err = open_fs(r, ns, mount);
	mounts_for_each(mount, m) {
		struct mount_origin *origin = mount_origin_of(mount->fs, mount->entry->root);

		if (err || waits(mount) != deferred || takes(origin, mount))
			continue;
		mount->fd = copy(r, origin, mount);
		err = mount->fd < 0 ? mount->fd : 0;
	}
	mounts_for_each(mount, m) {
		struct mount_origin *origin = mount_origin_of(mount->fs, mount->entry->root);

		if (!err && waits(mount) == deferred && takes(origin, mount)) {
			mount->fd = dup_fd_above(origin->fd, r->service_base);
			err = mount->fd < 0 ? fail(mount->fd, "keep a mount open") : 0;
		}
	}
	return err;
}
