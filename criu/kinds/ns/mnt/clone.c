// SPDX-License-Identifier: GPL-2.0-only
/*
 * File systems, and detached mounts of them. A file system is created, or opened, once; the mount of all of it takes that one,
 * and the others are copies (binds) of it, made while nothing is mounted on it.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "kernel/mountinfo.h"
#include "kernel/proc_pid.h"
#include "kinds/ns/mnt/find.h"
#include "kinds/ns/mnt/fs_type.h"
#include "kinds/ns/mnt/hides.h"
#include "kinds/ns/mnt/idmap.h"
#include "kinds/ns/mnt/options.h"
#include "kinds/ns/mnt/removed.h"
#include "kinds/ns/mnt/restore.h"
#include "run/path.h"
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

/* What the kernel's only one has now: they may have changed since the dump, and are not the tree's. NULL: unknown. */
static char *options_of_host(const char *fstype)
{
	_cleanup_mountinfo_ struct mountinfo all = { 0 };
	_cleanup_proc_ struct proc self = PROC_CLOSED;
	_cleanup_buf_ struct buf options = { 0 };
	const struct mount_info *info;
	uint32_t flags;

	if (proc_open_self(&self) || mountinfo_read(&self, &all))
		return NULL;
	array_for_each(info, &all)
		if (!strcmp(info->fstype, fstype))
			return mount_sb_flags(info->sb_options, &flags, &options) ? NULL : strdup(options.data ?: "");
	return NULL;
}

static int create_fs(struct restore *r, const struct mount_fs *fs)
{
	const struct ns *cgroups = restore_task_of(r->plan.tree.root)->ns[NS_CGROUP];
	bool is_of_tree = cgroups && !cgroups->own;
	_cleanup_free_ char *options = NULL;
	int err = fs->type->options ? fs->type->options(r, fs->whole, &options) : 0;

	if (fs->type->options_of_host && !is_of_tree)
		options = options_of_host(fs->type->name);
	if (err)
		return err;
	if (fs->type->create)
		return fs->type->create(r, fs->whole);
	return fs->shown ? mount_create_shown(r, fs->whole, options) : mount_create_fs(fs->whole, options);
}

static int create_origin(struct restore *r, const struct ns *ns, struct mount_fs *fs)
{
	int fd = create_fs(r, fs), err;

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

/* Not a copy of another one, nor are others copies of it. */
static bool is_each(const struct mount *mount)
{
	return mount->fs->type && mount->fs->type->open_each && !mount_is_external(mount);
}

static enum mount_phase phase_of(const struct mount *mount)
{
	if (mount_is_late(mount))
		return MOUNTS_LATE;
	if (mount_shows_nested(mount))
		return MOUNTS_NESTED;
	return mount_waits(mount) ? MOUNTS_DEFERRED : MOUNTS_FIRST;
}

/* ---- copies ---- */

int mount_attach_to_root(int fd)
{
	_cleanup_close_ int root = path_open(&PATH_OWN, PATH_ROOT_MOUNT, "/", O_PATH | O_DIRECTORY);
	const unsigned flags = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH;

	if (root < 0)
		return root;
	return move_mount(fd, "", root, "", flags) < 0 ? -errno : 0;
}

static int copy_part(int part)
{
	int fd = open_tree(part, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/*
 * Kernels before 6.15 only copy what is attached in the mount namespace of the caller, later ones also what was detached
 * there: it is attached for the time being, to the root, until mounts_detach_origins().
 */
static int copy_attached(struct mount_origin *origin, int part)
{
	int err = origin->attached ? 0 : mount_attach_to_root(origin->fd);

	if (err)
		return err;
	origin->attached = true;
	return copy_part(part);
}

/* By its own source, which the original may not have. */
static int mount_again(const struct mount_origin *origin, const struct mount *mount, int part)
{
	const struct mount *whole = origin->mount ? NULL : mount->fs->whole;
	int fd;

	/* A new one has no master outside. */
	if (mount->outer_group || mount_is_external(mount) || mount_is_removed(mount) ||
	    (whole && !strcmp(whole->entry->source, mount->entry->source)))
		return -EINVAL;
	fd = mount_create_again(mount, part);
	if (whole && fd < 0 && fd != -EINVAL)
		log_warn("mount %s has the source %s in mountinfo, not %s (%s)", MOUNT_NAME(mount),
			 whole->entry->source, mount->entry->source, strerror(-fd));
	return fd;
}

/* A copy is in the groups of its original, which may be those of the host. */
static int leave_outer_group(const struct mount_origin *origin, const struct mount *mount)
{
	struct mount_attr attr = { .propagation = MS_PRIVATE };

	if (!origin->mount || !origin->mount->outer_group || mount->outer_group)
		return 0;
	return mount_setattr(mount->fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0 ?
		       fail(-errno, "mount %s: end its propagation to others", MOUNT_NAME(mount)) :
		       0;
}

static int copy(struct restore *r, struct mount_origin *origin, struct mount *mount, bool may_attach)
{
	const char *path = mount_below(origin->root, mount->entry->root);
	bool removed = mount_is_removed(mount);
	_cleanup_close_ int part = removed ? mount_open_removed(r, origin, mount) : mount_find(origin->fd, path);
	int fd;

	if (part < 0 && removed)
		return part;
	if (part < 0 && mount_protects_nothing(mount, part))
		return 0;
	if (part < 0)
		return fail(part, "mount %s: open %s of its file system", MOUNT_NAME(mount), mount->entry->root);
	fd = mount_again(origin, mount, part);
	if (fd < 0)
		fd = copy_part(part);
	if (fd == -EINVAL && !may_attach)
		return 0;
	if (fd == -EINVAL)
		fd = copy_attached(origin, part);
	mount->fd = keep(r, fd);
	if (mount->fd < 0)
		return fail(mount->fd, "mount %s: copy a mount", MOUNT_NAME(mount));
	int err = leave_outer_group(origin, mount);
	return err ? err : mount_set_idmap(mount);
}

/* umount(2) of the root takes the uppermost of the mounts there. */
int mounts_detach_origins(struct restore *r)
{
	for (struct mount_fs *fs = mount_restore_data(r)->run.fs; fs; fs = fs->next)
		for (struct mount_origin *o = fs->origins; o; o = o->next) {
			if (!o->attached)
				continue;
			if (umount2("/", MNT_DETACH) < 0) /* of this process */
				return fail(-errno, "unmount a copy of a file system");
			o->attached = false;
		}
	return 0;
}

/* The one that gets the origin itself. */
static bool takes(const struct mount_origin *origin, const struct mount *mount)
{
	if (origin->attached || strcmp(mount->entry->root, origin->root) || mount_is_removed(mount))
		return false;
	return origin->mount ? origin->mount == mount : mount->fs->whole == mount;
}

static int copy_all(struct restore *r, enum mount_phase phase, bool may_attach)
{
	struct mount *mount;
	int err = 0;

	mounts_for_each_of_all(mount, &r->plan.namespaces)
	{
		struct mount_origin *origin = mount_origin_for(mount);

		if (!err && origin && origin->fd >= 0 && phase_of(mount) == phase && mount->fd < 0 &&
		    !mount->left_out && !takes(origin, mount))
			err = copy(r, origin, mount, may_attach);
	}
	return err;
}

int mounts_open_sources(struct restore *r)
{
	struct mount *mount;
	int err = 0;

	mounts_for_each_of_all(mount, &r->plan.namespaces)
	{
		struct mount_origin *origin;

		if (!err && is_each(mount))
			err = mount->fs->type->prepare_each(r, mount);
		if (err || !mount_is_external(mount))
			continue;
		origin = mount_origin_for(mount);
		if (origin->fd >= 0)
			continue;
		origin->fd = keep(r, mount_open_source(r, mount));
		err = origin->fd < 0 ? origin->fd : 0;
		if (!err && mount->outer_peer) {
			origin->peer = keep(r, mount_open_peer(r, mount));
			err = origin->peer < 0 ? origin->peer : 0;
		}
	}
	return err;
}

int mounts_copy_sources(struct restore *r)
{
	return copy_all(r, MOUNTS_FIRST, false);
}

static int take_or_copy(struct restore *r, struct mount *mount)
{
	struct mount_origin *origin = mount_origin_for(mount);

	if (mount->left_out)
		return 0;
	if (is_each(mount)) {
		mount->fd = keep(r, mount->fs->type->open_each(r, mount));
		return mount->fd < 0 ? mount->fd : 0;
	}

	if (!takes(origin, mount))
		return copy(r, origin, mount, true);
	mount->fd = dup_fd_above(origin->fd, r->service_base);
	return mount->fd < 0 ? fail(mount->fd, "keep a mount open") : mount_set_idmap(mount);
}

int mounts_clone(struct restore *r, enum mount_phase phase)
{
	const struct ns_set *all = &r->plan.namespaces;
	struct mount *mount;
	int err = 0;

	mounts_for_each_of_all(mount,
			       all) if (!err && phase_of(mount) == phase && !mount->fs->origins && !is_each(mount))
		err = create_origin(r, mount->fs->whole->of->ns, mount->fs);
	if (!err)
		err = copy_all(r, phase, true);
	mounts_for_each_of_all(mount, all) if (!err && phase_of(mount) == phase && mount->fd < 0) err =
		take_or_copy(r, mount);
	return err;
}

bool mount_is_late(const struct mount *mount)
{
	return mount->fs->type && mount->fs->type->is_ready && !mount_is_external(mount);
}

/* Before any of them is attached. */
int mount_clone_late(struct restore *r, struct mount *mount)
{
	struct mount_fs *fs = mount->fs;
	int err = create_origin(r, fs->whole->of->ns, fs);

	if (!err)
		err = copy_all(r, MOUNTS_LATE, true);
	mounts_for_each_of_all(mount, &r->plan.namespaces) if (!err && mount->fs == fs && mount->fd < 0) err =
		take_or_copy(r, mount);
	return err;
}
