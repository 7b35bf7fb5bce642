// SPDX-License-Identifier: GPL-2.0-only
/*
 * An archive is read from beginning to end. Directories get their attributes when everything in them has been created:
 * that changes their times, and a default ACL would be inherited.
 */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "archive/create.h"
#include "archive/fs_archive.h"
#include "archive/place.h"
#include "base/bits.h"
#include "base/cleanup.h"
#include "util/array.h"
#include "util/fds.h"
#include "util/log.h"

#define READ_BUFFER (256u << 10)

/* A directory that later entries may still be in. */
struct open_dir {
	size_t path_len; /* of its path: the beginning of loader.dir_path */
	struct archive_entry *entry; /* a copy */
};
ARRAY_OF(open_dirs, struct open_dir);

/* Inode flags are set last: an immutable file gets no other name, an immutable directory no file. */
struct flagged {
	char *path;
	int flags;
	bool is_dir;
};
ARRAY_OF(flagged_files, struct flagged);

struct loader {
	const struct fs_archive_input *from;
	struct archive *tar;
	char *buffer;
	uint64_t done; /* bytes read */
	int error; /* of reading */
	struct places places;
	struct buf path, link; /* of the current entry, normalized */
	struct buf dir_path; /* of the last of: */
	struct open_dirs dirs;
	struct flagged_files flagged;
};

static const char *shown(const struct buf *path)
{
	return path->len ? path->data : ".";
}

/* ---- directories ---- */

static int finish_dir(struct loader *l)
{
	struct open_dir *dir = &l->dirs.v[l->dirs.n - 1];
	_cleanup_close_ int fd = -1;
	struct attributes a;
	int err;

	l->dir_path.len = dir->path_len;
	l->dir_path.data[dir->path_len] = 0;
	fd = place_open_dir(&l->places, l->dir_path.data, O_RDONLY);
	attributes_of_entry(dir->entry, &a);
	err = fd < 0 ? fail(fd, "open %s", shown(&l->dir_path)) : attributes_set(fd, &a, shown(&l->dir_path));
	archive_entry_free(dir->entry);
	l->dirs.n--;
	return err;
}

static bool is_in_last_dir(const struct loader *l)
{
	size_t len = l->dirs.v[l->dirs.n - 1].path_len;

	return !len || (l->path.len > len && l->path.data[len] == '/' && !memcmp(l->path.data, l->dir_path.data, len));
}

/* Directories that the current path is not in have all their content; none: all have. */
static int finish_dirs(struct loader *l, bool all)
{
	int err = 0;

	while (!err && l->dirs.n && (all || !is_in_last_dir(l)))
		err = finish_dir(l);
	return err;
}

static int load_dir(struct loader *l, const struct place *at, struct archive_entry *entry)
{
	struct open_dir *dir;
	/* The root is there already. */
	int err = l->path.len ? create_dir(at, l->path.data) : 0;

	if (err)
		return err;
	buf_clear(&l->dir_path);
	if (buf_add(&l->dir_path, l->path.data, l->path.len))
		return -ENOMEM;
	dir = array_push(&l->dirs);
	if (!dir)
		return -ENOMEM;
	dir->path_len = l->path.len;
	dir->entry = archive_entry_clone(entry);
	return dir->entry ? 0 : -ENOMEM;
}

/* ---- inode flags ---- */

static int note_flags(struct loader *l, struct archive_entry *entry)
{
	unsigned long set = 0, clear = 0;
	struct flagged *flagged;
	mode_t type = archive_entry_filetype(entry);

	archive_entry_fflags(entry, &set, &clear);
	set &= FS_APPEND_FL | FS_IMMUTABLE_FL | FS_NODUMP_FL;
	if (!set || (type != AE_IFREG && type != AE_IFDIR))
		return 0;
	flagged = array_push(&l->flagged);
	if (!flagged)
		return -ENOMEM;
	*flagged = (struct flagged){ strdup(l->path.data), (int)set, type == AE_IFDIR };
	return flagged->path ? 0 : -ENOMEM;
}

static int open_flagged(struct loader *l, const struct flagged *file)
{
	struct place at;
	int err;

	if (file->is_dir)
		return place_open_dir(&l->places, file->path, O_RDONLY);
	err = place_find(&l->places, file->path, &at);
	return err ? err : open_at(at.dir, at.name, O_RDONLY | O_NOFOLLOW | O_NOATIME, 0);
}

static int set_flags(struct loader *l)
{
	for (size_t i = 0; i < l->flagged.n; i++) {
		const struct flagged *file = &l->flagged.v[i];
		_cleanup_close_ int fd = open_flagged(l, file);
		int flags = 0;

		if (fd < 0)
			return fail(fd, "open %s", file->path);
		if (ioctl(fd, FS_IOC_GETFLAGS, &flags) < 0)
			return fail(-errno, "%s: read its inode flags", file->path);
		flags |= file->flags;
		if (ioctl(fd, FS_IOC_SETFLAGS, &flags) < 0)
			return fail(-errno, "%s: set its inode flags (chattr)", file->path);
	}
	return 0;
}

/* ---- entries ---- */

static int load_link(struct loader *l, struct archive_entry *entry)
{
	_cleanup_close_ int from = -1;
	struct place first, at;
	int err = place_normalize(archive_entry_hardlink(entry), &l->link);

	if (!err && !l->link.len)
		err = -EBADMSG;
	if (!err)
		err = place_find(&l->places, l->link.data, &first);
	if (err)
		return fail(err, "%s: a link to %s", l->path.data, archive_entry_hardlink(entry));
	/* Usually both are in the same directory. */
	from = dup_fd_above(first.dir, 0);
	if (from < 0)
		return fail(from, "%s: dup", l->path.data);
	err = place_find(&l->places, l->path.data, &at);
	if (!err && linkat(from, first.name, at.dir, at.name, 0) < 0)
		err = -errno;
	return err ? fail(err, "link %s to %s", l->path.data, l->link.data) : 0;
}

static int load_new(struct loader *l, struct archive_entry *entry)
{
	struct place at;
	int err = place_find(&l->places, l->path.data, &at);

	if (err)
		return fail(err, "open the directory of %s", shown(&l->path));
	if (archive_entry_filetype(entry) == AE_IFDIR)
		return load_dir(l, &at, entry);
	if (!l->path.len)
		return fail(-EBADMSG, "the root is not a directory");
	if (archive_entry_filetype(entry) == AE_IFREG)
		return create_regular(&at, l->tar, entry, l->path.data);
	return create_special(&at, entry, l->path.data);
}

static int load_entry(struct loader *l, struct archive_entry *entry)
{
	const char *path = archive_entry_pathname(entry);
	int err = path ? place_normalize(path, &l->path) : -EBADMSG;

	if (err)
		return fail(err, "a file with the path '%s'", path ?: "");
	err = finish_dirs(l, false);
	if (err)
		return err;
	if (!archive_entry_hardlink(entry)) {
		err = load_new(l, entry);
		return err ? err : note_flags(l, entry);
	}
	return l->path.len ? load_link(l, entry) : fail(-EBADMSG, "the root is a link");
}

static int load_entries(struct loader *l)
{
	struct archive_entry *entry;
	int r, err = 0;

	while (!err && (r = archive_read_next_header(l->tar, &entry)) != ARCHIVE_EOF) {
		if (l->error)
			return l->error;
		/* Also for a warning: something of the entry could not be read. */
		if (r != ARCHIVE_OK)
			return fail(-EBADMSG, "tar archive: %s", archive_error_string(l->tar) ?: "damaged");
		err = load_entry(l, entry);
	}
	return err ? err : finish_dirs(l, true);
}

/* ---- extras ---- */

/* The directory keeps its times. */
static int create_extra(struct loader *l, const struct place *at, const struct fs_archive_extra *extra)
{
	struct place first;
	int err = 0;

	if (!extra->link)
		return mknodat(at->dir, at->name, S_IFSOCK | 0600, 0) < 0 ? -errno : 0;
	err = place_normalize(extra->link, &l->link);
	if (!err && !l->link.len)
		err = -EBADMSG;
	if (!err) {
		_cleanup_close_ int to = dup_fd_above(at->dir, 0);

		err = to < 0 ? to : place_find(&l->places, l->link.data, &first);
		if (!err && linkat(first.dir, first.name, to, at->name, 0) < 0)
			err = -errno;
	}
	return err;
}

static int load_socket(struct loader *l, const struct fs_archive_extra *extra)
{
	struct attributes a;
	struct place at;
	struct stat dir;
	int err = l->path.len ? place_find(&l->places, l->path.data, &at) : -EBADMSG;

	if (!err && fstat(at.dir, &dir) < 0)
		err = -errno;
	if (!err)
		err = create_extra(l, &at, extra);
	if (!err)
		err = place_find(&l->places, l->path.data, &at);
	if (err)
		return fail(err, "create the socket %s", shown(&l->path));
	attributes_of_extra(extra, &a);
	err = extra->link ? 0 : attributes_set_at(&at, &a, l->path.data);
	if (!err && utimensat(at.dir, ".", (const struct timespec[]){ dir.st_atim, dir.st_mtim }, 0) < 0)
		err = fail(-errno, "set the times of the directory of %s", l->path.data);
	return err;
}

static int load_extra(struct loader *l, const struct fs_archive_extra *extra)
{
	struct attributes a;
	struct place at;
	int err = *extra->path ? place_normalize(extra->path, &l->path) : place_normalize(".", &l->path);

	if (err)
		return fail(err, "a file with the path '%s'", extra->path);
	if (S_ISSOCK(extra->mode))
		return load_socket(l, extra);
	if (extra->mode)
		return fail(-EBADMSG, "%s: mode %o", shown(&l->path), (unsigned)extra->mode);
	attributes_of_extra(extra, &a);
	err = place_find(&l->places, l->path.data, &at);
	if (err)
		return fail(err, "open the directory of %s", shown(&l->path));
	if (!l->path.len)
		at.name = ".";
	return xattrs_set_at(&at, &a, shown(&l->path));
}

static int load_extras(struct loader *l)
{
	struct fs_archive_extra extra;
	int err = 0, r;

	while (!err && (r = l->from->next_extra(l->from->arg, &extra)) != 0)
		err = r < 0 ? r : load_extra(l, &extra);
	return err;
}

/* ---- the archive ---- */

static la_ssize_t read_bytes(struct archive *tar, void *arg, const void **ret)
{
	struct loader *l = arg;
	const struct fs_archive_input *from = l->from;
	size_t len = MIN_OF(from->len - l->done, (uint64_t)READ_BUFFER);
	ssize_t n = (ssize_t)len;

	*ret = l->buffer;
	if (from->bytes)
		*ret = from->bytes + l->done;
	else
		n = pread_full(from->fd, l->buffer, len, (off_t)(from->base + l->done));
	if (n < 0) {
		l->error = fail((int)n, "read the tar archive");
		return ARCHIVE_FATAL;
	}
	l->done += (uint64_t)n;
	return n;
}

static int open_archive(struct loader *l)
{
	l->tar = archive_read_new();
	l->buffer = malloc(READ_BUFFER);
	if (!l->tar || !l->buffer)
		return -ENOMEM;
	if (archive_read_support_format_tar(l->tar) || archive_read_support_filter_gzip(l->tar) ||
	    archive_read_open2(l->tar, l, NULL, read_bytes, NULL, NULL))
		return l->error ? l->error : fail(-EBADMSG, "tar archive: %s", archive_error_string(l->tar));
	return 0;
}

static void free_loader(struct loader *l)
{
	struct open_dir *dir;
	struct flagged *file;

	array_for_each(dir, &l->dirs)
		archive_entry_free(dir->entry);
	array_free(&l->dirs);
	array_for_each(file, &l->flagged)
		free(file->path);
	array_free(&l->flagged);
	places_free(&l->places);
	buf_free(&l->path);
	buf_free(&l->link);
	buf_free(&l->dir_path);
	archive_read_free(l->tar);
	free(l->buffer);
}

int fs_archive_load(int dir, const struct fs_archive_input *from)
{
	struct loader l = { .from = from, .places = { .root = dir, .dir = -1 } };
	int err = open_archive(&l);

	if (!err)
		err = load_entries(&l);
	if (!err && from->next_extra)
		err = load_extras(&l);
	if (!err)
		err = set_flags(&l);
	free_loader(&l);
	return err;
}
