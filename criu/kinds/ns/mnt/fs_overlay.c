// SPDX-License-Identifier: GPL-2.0-only
/*
 * overlay: mounted again from the directories that its options name, in the root directory of the tree. A dump makes sure that
 * they are those that it has been mounted from, as far as the kernel lets one see; they are found without the overlay itself,
 * which may cover them. With --external overlay[DIR]:OTHER they are in other places.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "kernel/device.h"
#include "kernel/mountinfo.h"
#include "kernel/ns_run.h"
#include "kinds/ns/mnt/content.h"
#include "kinds/ns/mnt/external.h"
#include "kinds/ns/mnt/options.h"
#include "kinds/ns/mnt/overlay.h"
#include "kinds/ns/mnt/restore.h"
#include "run/dump.h"
#include "kinds/ns/mnt/whole.h"
#include "run/path.h"
#include "util/fds.h"
#include "util/log.h"

#ifndef AT_HANDLE_FID
#define AT_HANDLE_FID 0x200
#endif

/* Replaces what --external overlay[DIR]:OTHER names. *ret_moved: anything. */
static int move_dirs(const struct options *opts, struct overlay_dirs *dirs, bool *ret_moved)
{
	struct overlay_dir *dir;

	*ret_moved = false;
	array_for_each(dir, dirs) {
		_cleanup_buf_ struct buf path = { 0 };
		int err = external_overlay_path(opts, dir->path, &path);

		if (err < 0)
			return err;
		if (!err)
			continue;
		free(dir->path);
		dir->path = buf_steal(&path);
		*ret_moved = true;
	}
	return 0;
}

/* Of a path of the images: no link of proc may lead out of the root directory. */
static int open_layer(const char *path)
{
	return path_open_resolving(&PATH_OWN, PATH_ROOT_MOUNT, path, O_PATH | O_DIRECTORY, RESOLVE_NO_MAGICLINKS);
}

static int mount_id_of(int fd)
{
	struct statx sx;

	return statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &sx) < 0 ? -errno : (int)sx.stx_mnt_id;
}

/* ---- dump ---- */

struct look {
	struct dump *dump;
	struct mount *mount;
	int root; /* of the overlay */
	struct overlay_dirs dirs;
	struct mountinfo mounts; /* of the copy of the mount namespace */
};

static void refuse(const struct look *l, const char *path, const char *why)
{
	const char *at = MOUNT_NAME(l->mount);

	mount_blocker(
		l->dump,
		"mount %s is an overlay, and its directory %s %s: say where it is in the tree (--external 'overlay[%s]:DIR', now and at restore), make the mount external (--external 'mnt[%s]:KEY' now, and --external 'mnt[KEY]:PATH' at restore), or leave it out (--skip-mnt %s)",
		at, path, why, path, at, at);
}

/* What shows the overlay may cover the directories that it consists of. */
static int unmount_overlay(struct look *l)
{
	const struct mount_info *info;

	array_for_each(info, &l->mounts) {
		if (kdev_make(info->dev_major, info->dev_minor) != l->mount->entry->root_dev)
			continue;
		_cleanup_close_ int fd = path_open(&PATH_OWN, PATH_ROOT_MOUNT, info->mountpoint, O_PATH | O_NOFOLLOW);
		if (fd >= 0 && mount_id_of(fd) == info->mnt_id &&
		    umount2(info->mountpoint, MNT_DETACH | UMOUNT_NOFOLLOW) < 0) /* style: takes no descriptor */
			return fail(-errno, "mount %s: unmount it in a copy of the namespace", info->mountpoint);
	}
	return 0;
}

struct handle {
	struct file_handle head;
	unsigned char bytes[MAX_HANDLE_SZ];
};

static int read_handle(int fd, struct handle *ret)
{
	int mnt_id;

	ret->head.handle_bytes = MAX_HANDLE_SZ;
	return name_to_handle_at(fd, "", &ret->head, &mnt_id, AT_EMPTY_PATH | AT_HANDLE_FID) < 0 ? -errno : 0;
}

/* Of the handles of an overlay: they end with that of the file in its layer. */
#define OVERLAY_HANDLE 0xf8

/* Can @dir be the uppermost directory? Without handles of its layers the overlay does not show that. */
static bool may_be_uppermost(int root, int dir)
{
	struct handle of_root, of_dir;
	size_t len, all;

	if (read_handle(root, &of_root) || of_root.head.handle_type != OVERLAY_HANDLE || read_handle(dir, &of_dir))
		return true;
	len = of_dir.head.handle_bytes;
	all = of_root.head.handle_bytes;
	return all >= len && !memcmp(of_root.bytes + all - len, of_dir.bytes, len);
}

static bool is_whiteout(int dir, const char *name)
{
	struct stat st;

	return !fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) && S_ISCHR(st.st_mode) && !st.st_rdev;
}

/* Is the name hidden by a layer above? */
static bool is_hidden(const struct look *l, const struct overlay_dir *layer, const char *name)
{
	const struct overlay_dir *dir;

	array_for_each(dir, &l->dirs) {
		if (dir->role == OVERLAY_WORK || dir == layer || (dir > layer && dir->role != OVERLAY_UPPER))
			continue;
		_cleanup_close_ int fd = open_layer(dir->path);
		if (fd < 0 || is_whiteout(fd, name))
			return true;
	}
	return false;
}

/* A directory that the overlay does not show as it would is another one. */
static bool is_shown(const struct look *l, const struct overlay_dir *layer, int fd)
{
	int list = open_at(fd, ".", O_RDONLY | O_DIRECTORY, 0);
	_cleanup_closedir_ DIR *dir = list < 0 ? NULL : fdopendir(list);
	const struct dirent *e;
	struct stat st;

	while (dir && (e = readdir(dir)))
		if (fstatat(l->root, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 && !is_whiteout(fd, e->d_name) &&
		    !is_hidden(l, layer, e->d_name))
			return false;
	return dir;
}

/* The mount of the tree that this one is a copy of. */
static const struct mount *original_of(const struct look *l, int mnt_id)
{
	const struct mount_info *copy = mountinfo_find(&l->mounts, mnt_id);
	const struct mounts *m = l->mount->of;

	for (size_t i = 0; copy && i < m->n; i++) {
		const struct mount_info *info = m->v[i].info;

		if (!strcmp(info->mountpoint, copy->mountpoint) && info->dev_major == copy->dev_major &&
		    info->dev_minor == copy->dev_minor && !strcmp(info->root, copy->root))
			return &m->v[i];
	}
	return NULL;
}

/* Layers whose inodes are new after a restore do not match what an index has of them. */
static bool depends_on_inodes(const struct look *l, const struct mount *on)
{
	const char *options = l->mount->entry->options;

	return !on->fs->origins && (strstr(options, "index=on") || strstr(options, "nfs_export=on"));
}

static bool is_first(const struct look *l, const struct overlay_dir *dir)
{
	const struct overlay_dir *other;

	if (dir->role == OVERLAY_UPPER)
		return true;
	array_for_each(other, &l->dirs)
		if (other->role == OVERLAY_UPPER)
			return false;
	return dir == l->dirs.v;
}

static int look_at(struct look *l, const struct overlay_dir *dir)
{
	_cleanup_close_ int fd = dir->path[0] == '/' ? open_layer(dir->path) : -ENOENT;
	const struct mount *on = fd < 0 ? NULL : original_of(l, mount_id_of(fd));
	MntEntry *entry = l->mount->entry;

	if (dir->path[0] != '/')
		refuse(l, dir->path, "is relative to an unknown directory");
	else if (!on)
		refuse(l, dir->path, "is not in the tree");
	else if (is_first(l, dir) && !may_be_uppermost(l->root, fd))
		refuse(l, dir->path, "is not the one that it was mounted with");
	else if ((dir->role == OVERLAY_LOWER || dir->role == OVERLAY_UPPER) && !is_shown(l, dir, fd))
		refuse(l, dir->path, "is not the one that it was mounted with");
	else if (depends_on_inodes(l, on))
		refuse(l, dir->path,
		       "is on a file system that a restore creates, which index=on and nfs_export=on do not accept");
	else
		entry->layer_mnt_id[entry->n_layer_mnt_id++] = on->entry->mnt_id;
	return 0;
}

static int look(void *arg)
{
	struct look *l = arg;
	_cleanup_proc_ struct proc self = PROC_CLOSED;
	const struct overlay_dir *dir;
	int err = mounts_make_private();

	if (!err)
		err = proc_open_self(&self);
	if (!err)
		err = mountinfo_read(&self, &l->mounts);
	if (!err)
		err = unmount_overlay(l);
	array_for_each(dir, &l->dirs)
		if (!err)
			err = look_at(l, dir);
	mountinfo_free(&l->mounts);
	return err;
}

int overlay_survey(struct dump *dump, const struct ns *ns, struct mount *mount, int dir_fd)
{
	struct look l = { .dump = dump, .mount = mount, .root = dir_fd };
	_cleanup_close_ int owner = -1;
	int result = 0, err = overlay_dirs_parse(mount->entry->options, &l.dirs);
	bool moved;

	if (!err)
		err = move_dirs(dump->opts, &l.dirs, &moved);
	if (!err) {
		mount->entry->layer_mnt_id = dump_alloc(dump, (l.dirs.n + 1) * sizeof(*mount->entry->layer_mnt_id));
		err = mount->entry->layer_mnt_id ? 0 : -ENOMEM;
	}
	/* In a copy that belongs to another user namespace, nothing can be unmounted. */
	if (!err)
		err = mount_ns_owner(dump, ns, &owner);
	if (!err)
		err = ns_run_in_new(&(struct ns_targets){ &owner, owner >= 0, CLONE_NEWNS }, look, &l, &result);
	overlay_dirs_free(&l.dirs);
	return err ? fail(err, "mount %s: look for the directories of the overlay", MOUNT_NAME(mount)) : result;
}

/* ---- restore ---- */

static const struct mount *mount_of_id(const struct mounts *m, uint32_t id)
{
	for (size_t i = 0; i < m->n; i++)
		if (m->v[i].entry->mnt_id == id)
			return &m->v[i];
	return NULL;
}

/* Until then the path may lead to a directory on another mount. */
static bool is_on_mount(int fd, const struct mount *on)
{
	return !on || (on->fd >= 0 && mount_id_of(fd) == mount_id_of(on->fd));
}

int overlay_is_ready(struct restore *r, const struct mount *mount)
{
	const MntEntry *e = mount->entry;
	_cleanup_overlay_dirs_ struct overlay_dirs dirs = { 0 };
	const struct overlay_dir *dir;
	bool moved = false;
	int err = overlay_dirs_parse(e->options, &dirs);

	if (!err)
		err = move_dirs(r->opts, &dirs, &moved);
	if (err)
		return fail(err, "mount %s", MOUNT_NAME(mount));
	array_for_each(dir, &dirs) {
		size_t i = (size_t)(dir - dirs.v);
		const struct mount *on =
			moved || i >= e->n_layer_mnt_id ? NULL : mount_of_id(mount->of, e->layer_mnt_id[i]);
		_cleanup_close_ int fd = dir->path[0] == '/' ? open_layer(dir->path) : -ENOENT;

		if (fd < 0 || !is_on_mount(fd, on))
			return 0;
	}
	return 1;
}

int overlay_text(struct restore *r, const struct mount *mount, char **ret)
{
	_cleanup_overlay_dirs_ struct overlay_dirs dirs = { 0 };
	_cleanup_buf_ struct buf options = { 0 };
	bool moved = false;
	int err = overlay_dirs_parse(mount->entry->options, &dirs);

	if (!err)
		err = move_dirs(r->opts, &dirs, &moved);
	if (!err)
		err = overlay_options(mount->entry->options, &dirs, moved, &options);
	if (err)
		return fail(err, "mount %s", MOUNT_NAME(mount));
	*ret = buf_steal(&options);
	return 0;
}

int overlay_refuse(const struct mount *mount)
{
	return fail(
		-ENOENT,
		"mount %s is an overlay, and not all of its directories are in the tree (%s): use --external 'overlay[DIR]:OTHER' if one is at another place, or dump the mount as external (--external 'mnt[%s]:KEY')",
		MOUNT_NAME(mount), mount->entry->options, MOUNT_NAME(mount));
}
