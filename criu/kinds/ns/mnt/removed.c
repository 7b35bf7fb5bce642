// SPDX-License-Identifier: GPL-2.0-only
#include "kinds/ns/mnt/removed.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "archive/fs_archive.h"
#include "base/cleanup.h"
#include "kinds/ns/mnt/content.h"
#include "kinds/ns/mnt/find.h"
#include "kinds/ns/mnt/restore.h"
#include "kinds/ns/mnt/undo.h"
#include "util/fds.h"
#include "util/log.h"

/* One for each file, in the order of their creation. */
struct mount_removed {
	struct mount_removed *next;
	const struct mount *mount; /* the first that shows it */
	const struct mount_origin *origin;
	struct stat root; /* the directory that the other one is created in, as it was before */
	bool is_dir;
	char dir[48]; /* temporary: it, or the directory that it is in */
};

static struct mount_removed *find(const struct mount_restore *data, const struct mount_origin *origin, uint32_t id)
{
	for (struct mount_removed *m = data->removed; m; m = m->next)
		if (m->origin == origin && m->mount->entry->removed_id == id)
			return m;
	return NULL;
}

static int note(struct restore *r, const struct mount_removed *m, const char *path, bool is_dir, size_t *ret_nr)
{
	*ret_nr = 0;
	return m->origin->mount ? mount_undo_note(r, m->origin->mount, path, is_dir, ret_nr) : 0;
}

static int create(struct restore *r, struct mount_removed *m)
{
	char file[sizeof(m->dir) + sizeof("/" FS_ARCHIVE_FILE)];
	struct stat st;
	size_t nr[2];
	int err;

	snprintf(file, sizeof(file), "%s/%s", m->dir, FS_ARCHIVE_FILE);
	err = note(r, m, m->dir, true, &nr[0]);
	if (!err)
		err = note(r, m, file, false, &nr[1]);
	if (err)
		return err;
	if (fstat(m->origin->fd, &m->root) < 0 || mkdirat(m->origin->fd, m->dir, 0700) < 0) {
		err = -errno;
		/* Another tool's, which it removes itself. */
		mount_undo_drop(r, nr[0]);
		mount_undo_drop(r, nr[1]);
		return fail(err, "mount %s: create %s in its file system", MOUNT_NAME(m->mount), m->dir);
	}
	_cleanup_close_ int dir = open_at(m->origin->fd, m->dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
	if (dir < 0)
		return fail(dir, "mount %s: open %s", MOUNT_NAME(m->mount), m->dir);
	err = content_fill_removed(r, m->mount, dir);
	m->is_dir = fstatat(m->origin->fd, file, &st, AT_SYMLINK_NOFOLLOW) < 0;
	return err;
}

int mount_open_removed(struct restore *r, const struct mount_origin *origin, const struct mount *mount)
{
	struct mount_restore *data = mount_restore_data(r);
	struct mount_removed *m = find(data, origin, mount->entry->removed_id);
	char path[sizeof(m->dir) + sizeof("/" FS_ARCHIVE_FILE)];
	int err = 0, fd;

	if (!m) {
		m = arena_alloc(&r->arena, sizeof(*m));
		if (!m)
			return fail(-ENOMEM, "mounts");
		*m = (struct mount_removed){ .next = data->removed, .mount = mount, .origin = origin };
		snprintf(m->dir, sizeof(m->dir), ".criu-removed-%u-%d", mount->entry->removed_id, getpid());
		data->removed = m;
		err = create(r, m);
	}
	if (err)
		return err;
	snprintf(path, sizeof(path), "%s%s", m->dir, m->is_dir ? "" : "/" FS_ARCHIVE_FILE);
	fd = mount_find(origin->fd, path);
	return fd < 0 ? fail(fd, "mount %s: open %s of its file system", MOUNT_NAME(mount), path) : fd;
}

/* ---- removing the names ---- */

/* The last component of @root, and (O_PATH) the directory that it was in; < 0: that is gone, too. */
static int open_parent(const struct mount_removed *m, const char **ret_name)
{
	const char *path = mount_below(m->origin->root, m->mount->entry->root);
	char parent[PATH_MAX];
	char *slash;

	if (!path || str_format(parent, sizeof(parent), "%s", path))
		return -ENAMETOOLONG;
	slash = strrchr(parent, '/');
	*ret_name = slash ? path + (slash - parent) + 1 : path;
	*(slash ?: parent) = 0;
	return mount_find(m->origin->fd, parent);
}

static void set_times(int dir, const struct stat *was)
{
	const struct timespec times[] = { was->st_atim, was->st_mtim };

	if (utimensat(dir, ".", times, 0) < 0)
		log_debug("set the times of a directory: %m");
}

/*
 * mountinfo shows where it was: it gets its old name, if that is free, and loses it; a file also if another one has it by now,
 * which is then renamed over it: the new file system is mounted nowhere yet.
 */
static bool remove_with_old_name(struct restore *r, const struct mount_removed *m, int from, const char *name)
{
	const char *old;
	_cleanup_close_ int parent = open_parent(m, &old);
	struct stat was, other;
	bool done = false;
	size_t nr = 0;

	if (parent < 0 || !*old || fstat(parent, &was) < 0)
		return false;
	if (fstatat(parent, old, &other, AT_SYMLINK_NOFOLLOW) < 0) {
		bool moved = !note(r, m, mount_below(m->origin->root, m->mount->entry->root), m->is_dir, &nr) &&
			     !renameat2(from, name, parent, old, RENAME_NOREPLACE);

		done = moved && !unlinkat(parent, old, m->is_dir ? AT_REMOVEDIR : 0);
		/* From now on a file with this name is not ours. */
		if (done || !moved)
			mount_undo_drop(r, nr);
	} else if (!m->origin->mount && !m->is_dir && !S_ISDIR(other.st_mode))
		done = !renameat2(from, name, parent, old, RENAME_EXCHANGE) && !renameat(from, name, parent, old);
	set_times(parent, &was);
	return done;
}

static int unlink_one(struct restore *r, const struct mount_removed *m)
{
	_cleanup_close_ int dir = mount_find(m->origin->fd, m->dir);
	int err = 0;

	if (dir < 0)
		return fail(dir, "mount %s: open %s", MOUNT_NAME(m->mount), m->dir);
	if (!m->is_dir && !remove_with_old_name(r, m, dir, FS_ARCHIVE_FILE))
		err = unlinkat(dir, FS_ARCHIVE_FILE, 0) < 0 ? -errno : 0;
	if (!err && !(m->is_dir && remove_with_old_name(r, m, m->origin->fd, m->dir)))
		err = unlinkat(m->origin->fd, m->dir, AT_REMOVEDIR) < 0 ? -errno : 0;
	set_times(m->origin->fd, &m->root);
	return err ? fail(err, "mount %s: remove %s", MOUNT_NAME(m->mount), m->dir) : 0;
}

int mounts_unlink_removed(struct restore *r)
{
	int err = 0;

	for (const struct mount_removed *m = mount_restore_data(r)->removed; m && !err; m = m->next)
		err = unlink_one(r, m);
	return err;
}
