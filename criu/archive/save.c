// SPDX-License-Identifier: GPL-2.0-only
/*
 * The walk through a tree. Only one directory is open at a time, so that no depth exhausts the descriptors: the way back
 * is "..", and must lead to the directory that we came from.
 */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>
#include "archive/entry.h"
#include "archive/fs_archive.h"
#include "base/bits.h"
#include "base/cleanup.h"
#include "util/array.h"
#include "util/fds.h"
#include "util/log.h"

#define OPEN_DIR (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NOATIME)
/* Of a path: pax headers are limited to 1 MiB by those who read them. */
#define PATH_LEN_MAX (256u << 10)

struct level {
	uint64_t ino;
	size_t path_len;
	struct buf names; /* of what is in it, each with its NUL; taken from the end */
};
ARRAY_OF(levels, struct level);

struct walk {
	struct saver saver;
	struct levels levels;
	uint64_t mnt_id;
	int dirs_fd; /* saver.dir, owned */
};

/* ---- directories ---- */

struct dirent_text {
	uint64_t ino;
	int64_t off;
	uint16_t len;
	uint8_t type;
	char name[];
};

static int add_names(const char *bytes, size_t len, struct buf *to)
{
	for (size_t at = 0; at < len;) {
		const struct dirent_text *d = (const void *)(bytes + at);
		int err =
			!strcmp(d->name, ".") || !strcmp(d->name, "..") ? 0 : buf_add(to, d->name, strlen(d->name) + 1);

		if (err)
			return err;
		at += d->len;
	}
	return 0;
}

static int read_names(struct saver *s, int fd, struct buf *to)
{
	long n;

	while ((n = syscall(SYS_getdents64, fd, s->buffer, SAVE_BUFFER)) > 0) {
		int err = add_names(s->buffer, (size_t)n, to);

		if (err)
			return err;
	}
	/* A removed directory contains nothing. */
	return n < 0 && errno != ENOENT ? fail(-errno, "read the directory %s", s->path.data) : 0;
}

/*
 * The last name first: tmpfs lists the newest file first, so that files are created again in their old order. NULL: none
 * is left.
 */
static const char *take_name(struct level *level)
{
	size_t at = level->names.len;

	if (!at)
		return NULL;
	for (at--; at && level->names.data[at - 1]; at--)
		;
	level->names.len = at;
	return level->names.data + at;
}

static void set_dir(struct walk *w, int fd)
{
	cleanup_close(&w->dirs_fd);
	w->dirs_fd = fd;
	w->saver.dir = fd;
	w->saver.is_cwd = false;
}

static int enter(struct walk *w, int fd, const struct statx *sx)
{
	struct level *level = array_push(&w->levels);

	if (!level)
		return -ENOMEM;
	*level = (struct level){ .ino = sx->stx_ino, .path_len = w->saver.path.len };
	return read_names(&w->saver, fd, &level->names);
}

static int leave(struct walk *w)
{
	struct saver *s = &w->saver;
	struct stat st;
	int fd;

	buf_free(&w->levels.v[--w->levels.n].names);
	if (!w->levels.n)
		return 0;
	fd = open_at(s->dir, "..", OPEN_DIR, 0);
	if (fd < 0)
		return fail(fd, "open the directory above %s", s->path.data);
	set_dir(w, fd);
	if (fstat(fd, &st) < 0 || st.st_ino != w->levels.v[w->levels.n - 1].ino)
		return fail(-EBUSY, "%s has been moved meanwhile", s->path.data);
	return 0;
}

/* ---- files ---- */

static int look_at(struct walk *w, int dir, const char *name, struct statx *ret)
{
	const struct saver *s = &w->saver;
	unsigned how = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | (*name ? 0 : AT_EMPTY_PATH);

	if (statx(dir, name, (int)how, STATX_BASIC_STATS | STATX_MNT_ID, ret) < 0)
		return fail(-errno, "%s: stat", s->path.data);
	if (!w->mnt_id)
		w->mnt_id = ret->stx_mnt_id;
	if (ret->stx_mnt_id != w->mnt_id)
		return fail(-EXDEV, "%s is a mount point", s->path.data);
	if ((s->to->unmapped_uid != FS_ARCHIVE_ALL_MAPPED && ret->stx_uid == s->to->unmapped_uid) ||
	    (s->to->unmapped_gid != FS_ARCHIVE_ALL_MAPPED && ret->stx_gid == s->to->unmapped_gid))
		return fail(-EOVERFLOW, "%s: its owner has no mapping in the user namespace of the file system",
			    s->path.data);
	return 0;
}

static int save_subdir(struct walk *w, const char *name, const struct statx *sx)
{
	struct saver *s = &w->saver;
	int fd = open_at(s->dir, name, OPEN_DIR, 0), err;

	if (fd < 0)
		return fail(fd, "open %s", s->path.data);
	err = save_dir(s, fd, sx);
	if (!err)
		err = enter(w, fd, sx);
	if (err)
		close(fd);
	else
		set_dir(w, fd);
	return err;
}

static int save_name(struct walk *w, const char *name)
{
	struct saver *s = &w->saver;
	struct statx sx;
	int err;

	if (buf_add(&s->path, "/", 1) || buf_add_str(&s->path, name))
		return -ENOMEM;
	if (s->path.len > PATH_LEN_MAX)
		return fail(-ENAMETOOLONG, "%s", s->path.data);
	err = look_at(w, s->dir, name, &sx);
	if (err)
		return err;
	return S_ISDIR(sx.stx_mode) ? save_subdir(w, name, &sx) : save_file(s, name, &sx);
}

static int find_fs(struct saver *s)
{
	struct statfs fs;

	if (fstatfs(s->dir, &fs) < 0)
		return fail(-errno, "statfs");
	s->fs_magic = (uint32_t)fs.f_type;
	s->page = (uint64_t)fs.f_bsize;
	return 0;
}

static int save_all(struct walk *w, int root)
{
	struct saver *s = &w->saver;
	struct statx sx;
	int fd = open_at(root, ".", OPEN_DIR, 0), err;

	if (fd < 0)
		return fail(fd, "open the root directory");
	set_dir(w, fd);
	err = buf_add_str(&s->path, ".");
	if (!err)
		err = find_fs(s);
	if (!err)
		err = look_at(w, fd, "", &sx);
	if (!err)
		err = save_dir(s, fd, &sx);
	if (!err)
		err = enter(w, fd, &sx);
	while (!err && w->levels.n) {
		struct level *level = &w->levels.v[w->levels.n - 1];
		const char *name = take_name(level);

		s->path.len = level->path_len;
		s->path.data[s->path.len] = 0;
		err = name ? save_name(w, name) : leave(w);
	}
	return err;
}

/* ---- the archive ---- */

/* After an error nothing more is passed on: freeing the archive writes its end. */
static la_ssize_t pass_bytes(struct archive *tar, void *arg, const void *bytes, size_t len)
{
	struct saver *s = arg;

	if (s->error)
		return (la_ssize_t)len;
	s->error = s->to->write(s->to->arg, bytes, len);
	return s->error ? ARCHIVE_FATAL : (la_ssize_t)len;
}

/*
 * Stored, not compressed, like pages of memory: the tree is stopped, and gzip's fastest level takes ten times as long.
 * Names are bytes, not characters.
 */
static int open_archive(struct saver *s)
{
	s->tar = archive_write_new();
	s->entry = archive_entry_new();
	s->buffer = malloc(SAVE_BUFFER);
	if (!s->tar || !s->entry || !s->buffer)
		return -ENOMEM;
	if (archive_write_set_format_pax(s->tar) || archive_write_add_filter_gzip(s->tar) ||
	    archive_write_set_bytes_per_block(s->tar, SAVE_BUFFER) ||
	    archive_write_set_bytes_in_last_block(s->tar, 1) ||
	    archive_write_set_options(s->tar, "hdrcharset=BINARY,xattrheader=SCHILY") ||
	    archive_write_set_options(s->tar, "gzip:compression-level=0,gzip:!timestamp") ||
	    archive_write_open(s->tar, s, NULL, pass_bytes, NULL))
		return fail(-EIO, "libarchive: %s", archive_error_string(s->tar));
	return 0;
}

static void free_walk(struct walk *w)
{
	struct saver *s = &w->saver;
	const struct hash_slot *slot;
	struct level *level;
	size_t iter = 0;

	while ((slot = hash_next(&s->links, &iter)))
		free((void *)(uintptr_t)slot->value);
	hash_free(&s->links);
	array_for_each(level, &w->levels)
		buf_free(&level->names);
	array_free(&w->levels);
	cleanup_close(&w->dirs_fd);
	xattrs_free(&s->xattrs);
	buf_free(&s->path);
	archive_entry_free(s->entry);
	archive_write_free(s->tar);
	free(s->buffer);
}

static int save_unnamed(struct walk *w, int file)
{
	struct saver *s = &w->saver;
	struct statx sx;
	int err = buf_add_str(&s->path, "./" FS_ARCHIVE_FILE);

	s->dir = s->unnamed = file;
	if (!err)
		err = find_fs(s);
	if (!err)
		err = look_at(w, file, "", &sx);
	return err ? err : save_file(s, "", &sx);
}

static int save(int fd, bool unnamed, const struct fs_archive_output *to)
{
	struct walk w = { .saver = { .to = to, .dir = -1, .unnamed = -1 }, .dirs_fd = -1 };
	int err = open_archive(&w.saver);

	if (!err)
		err = unnamed ? save_unnamed(&w, fd) : save_all(&w, fd);
	if (!err && archive_write_close(w.saver.tar) != ARCHIVE_OK)
		err = w.saver.error ? w.saver.error : fail(-EIO, "libarchive: %s", archive_error_string(w.saver.tar));
	w.saver.error = err;
	free_walk(&w);
	return err;
}

int fs_archive_save(int dir, const struct fs_archive_output *to)
{
	return save(dir, false, to);
}

int fs_archive_save_file(int file, const struct fs_archive_output *to)
{
	return save(file, true, to);
}
