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

static void set_times(int dir, const struct stat *was)
{
	const struct timespec times[] = { was->st_atim, was->st_mtim };

	if (utimensat(dir, ".", times, 0) < 0)
		log_debug("set the times of a directory: %m");
}

/* The place that something was in. */
struct place {
	char path[PATH_MAX]; /* of its directory, in the file system */
	size_t existing; /* length of the part of it that exists */
	struct stat was; /* the last directory of that part, before */
	int dir; /* the directory (O_PATH) */
	const char *name;
};

/* Splits the directory @len bytes into the path: a descriptor of the one above it, its name. */
static int above(const struct mount_removed *m, const struct place *p, size_t len, char name[NAME_MAX + 1])
{
	char path[PATH_MAX], *slash;

	memcpy(path, p->path, len);
	path[len] = 0;
	slash = strrchr(path, '/');
	if (str_format(name, NAME_MAX + 1, "%s", slash ? slash + 1 : path))
		return -ENAMETOOLONG;
	*(slash ?: path) = 0;
	return mount_find(m->origin->fd, path);
}

static size_t next_component(const struct place *p, size_t at)
{
	return at + !!at + strcspn(p->path + at + !!at, "/");
}

/* Directories that are gone, too. Only in a new file system, which is visible to nobody else. */
static int make_place(const struct mount_removed *m, struct place *p)
{
	int err = 0;

	for (size_t at = p->existing; !err && p->path[at];) {
		char name[NAME_MAX + 1];
		size_t end = next_component(p, at);
		_cleanup_close_ int dir = above(m, p, end, name);

		err = dir < 0 ? dir : mkdirat(dir, name, 0700) < 0 ? -errno : 0;
		if (err)
			p->path[at] = 0;
		at = end;
	}
	return err;
}

static void remove_place(const struct mount_removed *m, const struct place *p)
{
	for (size_t len = strlen(p->path); len > p->existing;) {
		char name[NAME_MAX + 1];
		_cleanup_close_ int dir = above(m, p, len, name);

		if (dir < 0 || unlinkat(dir, name, AT_REMOVEDIR) < 0)
			log_warn("mount %s: remove the directory %s, which did not exist", MOUNT_NAME(m->mount),
				 p->path);
		while (len > p->existing && p->path[--len] != '/')
			;
	}
}

/* How much of the path exists. */
static int find_existing(const struct mount_removed *m, struct place *p)
{
	int fd = mount_find(m->origin->fd, "");

	for (size_t at = 0; fd >= 0; at = next_component(p, at)) {
		char prefix[PATH_MAX];
		int next;

		p->existing = at;
		if (fstat(fd, &p->was) < 0)
			log_debug("stat a directory: %m");
		if (!p->path[at])
			break;
		memcpy(prefix, p->path, sizeof(prefix));
		prefix[next_component(p, at)] = 0;
		next = mount_find(m->origin->fd, prefix);
		if (next == -ENOENT)
			break;
		close(fd);
		fd = next;
	}
	if (fd >= 0)
		close(fd);
	return fd < 0 ? fd : 0;
}

/* Logs nothing: without it, mountinfo shows another name. */
static int open_place(const struct mount_removed *m, struct place *p)
{
	const char *path = mount_below(m->origin->root, m->mount->entry->root),
		   *slash = path ? strrchr(path, '/') : NULL;
	int err;

	memset(p, 0, sizeof(*p));
	p->dir = -1;
	if (!path || !*path || (size_t)(slash ? slash - path : 0) >= sizeof(p->path))
		return -ENAMETOOLONG;
	if (slash)
		memcpy(p->path, path, (size_t)(slash - path));
	p->name = slash ? slash + 1 : path;
	err = find_existing(m, p);
	if (!err && p->path[p->existing])
		err = m->origin->mount ? -ENOENT : make_place(m, p);
	if (!err)
		p->dir = mount_find(m->origin->fd, p->path);
	if (err || p->dir < 0)
		remove_place(m, p);
	return err ? err : p->dir < 0 ? p->dir : 0;
}

static void close_place(const struct mount_removed *m, struct place *p)
{
	char existing[PATH_MAX];

	close(p->dir);
	remove_place(m, p);
	memcpy(existing, p->path, sizeof(existing));
	existing[p->existing] = 0;
	_cleanup_close_ int dir =
		open_at(m->origin->fd, *existing ? existing : ".", O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
	if (dir >= 0)
		set_times(dir, &p->was);
}

static bool take_name(struct restore *r, const struct mount_removed *m, int from, const char *name,
		      const struct place *p)
{
	size_t nr = 0;
	bool moved = !note(r, m, mount_below(m->origin->root, m->mount->entry->root), m->is_dir, &nr) &&
		     !renameat2(from, name, p->dir, p->name, RENAME_NOREPLACE);
	bool done = moved && !unlinkat(p->dir, p->name, m->is_dir ? AT_REMOVEDIR : 0);

	/* From now on a file with this name is not ours. */
	if (done || !moved)
		mount_undo_drop(r, nr);
	return done;
}

/* The one that has its name now gets it back afterwards: the new file system is mounted nowhere yet. */
static bool swap_names(const struct mount_removed *m, int from, const char *name, const struct place *p)
{
	bool gone;

	if (m->origin->mount || renameat2(from, name, p->dir, p->name, RENAME_EXCHANGE))
		return false;
	gone = !unlinkat(p->dir, p->name, m->is_dir ? AT_REMOVEDIR : 0);
	return !renameat2(from, name, p->dir, p->name, gone ? RENAME_NOREPLACE : RENAME_EXCHANGE) && gone;
}

/* mountinfo shows where it was: it gets its old name, and loses it. */
static bool remove_with_old_name(struct restore *r, const struct mount_removed *m, int from, const char *name)
{
	struct place p;
	struct stat other;
	bool done;

	if (open_place(m, &p))
		return false;
	done = fstatat(p.dir, p.name, &other, AT_SYMLINK_NOFOLLOW) < 0 ? take_name(r, m, from, name, &p) :
									 swap_names(m, from, name, &p);
	close_place(m, &p);
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
