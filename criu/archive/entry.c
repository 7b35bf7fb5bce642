// SPDX-License-Identifier: GPL-2.0-only
#include "archive/entry.h"
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/limits.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/sysmacros.h>
#include "archive/content.h"
#include "base/bits.h"
#include "base/cleanup.h"
#include "util/fds.h"
#include "util/log.h"
#include "util/proc_root.h"

/* Readers refuse pax headers beyond 1 MiB: larger attributes are extras. */
#define XATTRS_IN_HEADER (256u << 10)

static int tar_fail(struct saver *s)
{
	if (s->error)
		return s->error;
	return fail(-EIO, "archive %s: %s", s->path.data, archive_error_string(s->tar) ?: "libarchive");
}

/* ---- extended attributes ---- */

/* tar's pax headers are lines "length name=value". */
static bool fits_in_header(const struct fs_xattr *xattr, size_t in_header)
{
	return !strpbrk(xattr->name, "=%\n") && in_header + xattr->len + strlen(xattr->name) <= XATTRS_IN_HEADER;
}

/* Adds to the entry what fits there; the others come first in the list afterwards, @ret_rest of them. */
static void split_xattrs(struct saver *s, size_t *ret_rest)
{
	struct fs_xattrs *all = &s->xattrs.list;
	size_t rest = 0, in_header = 0;

	for (size_t i = 0; i < all->n; i++) {
		const struct fs_xattr xattr = all->v[i];

		if (!fits_in_header(&xattr, in_header)) {
			all->v[rest++] = xattr;
			continue;
		}
		in_header += xattr.len + strlen(xattr.name);
		archive_entry_xattr_add_entry(s->entry, xattr.name, xattr.value, xattr.len);
	}
	*ret_rest = rest;
}

/* There is no call by descriptor for a file that cannot be opened. */
static int read_xattrs(struct saver *s, int fd, const char *name)
{
	int err = 0;

	if (fd < 0 && !s->is_cwd)
		err = fchdir(s->dir) < 0 ? -errno : 0;
	if (fd < 0 && !err)
		s->is_cwd = true;
	if (!err)
		err = xattrs_read((struct xattr_file){ fd, name }, &s->xattrs);
	return err ? fail(err, "%s: extended attributes", s->path.data) : 0;
}

static struct timespec time_of(const struct statx_timestamp *t)
{
	return (struct timespec){ .tv_sec = t->tv_sec, .tv_nsec = t->tv_nsec };
}

static int pass_extra(struct saver *s, const struct statx *sx, const char *link, size_t nr_xattrs)
{
	struct fs_archive_extra extra = {
		.path = s->path.len > 2 ? s->path.data + 2 : "",
		.mode = sx ? sx->stx_mode : 0,
		.link = link ? link + 2 : NULL,
		.xattrs = s->xattrs.list.v,
		.nr_xattrs = nr_xattrs,
	};

	if (sx) {
		extra.uid = sx->stx_uid;
		extra.gid = sx->stx_gid;
		extra.atime = time_of(&sx->stx_atime);
		extra.mtime = time_of(&sx->stx_mtime);
	}
	return s->to->extra(s->to->arg, &extra);
}

/* ---- entries ---- */

/* chattr(1): those that statx(2) reports. */
static void set_inode_flags(struct archive_entry *entry, const struct statx *sx)
{
	unsigned long flags = 0;

	if (sx->stx_attributes & STATX_ATTR_APPEND)
		flags |= FS_APPEND_FL;
	if (sx->stx_attributes & STATX_ATTR_IMMUTABLE)
		flags |= FS_IMMUTABLE_FL;
	if (sx->stx_attributes & STATX_ATTR_NODUMP)
		flags |= FS_NODUMP_FL;
	if (flags)
		archive_entry_set_fflags(entry, flags, 0);
}

static void begin_entry(struct saver *s, const struct statx *sx)
{
	struct archive_entry *e = s->entry;

	archive_entry_clear(e);
	archive_entry_copy_pathname(e, s->path.data);
	archive_entry_set_mode(e, sx->stx_mode);
	archive_entry_set_uid(e, sx->stx_uid);
	archive_entry_set_gid(e, sx->stx_gid);
	archive_entry_set_mtime(e, sx->stx_mtime.tv_sec, sx->stx_mtime.tv_nsec);
	archive_entry_set_atime(e, sx->stx_atime.tv_sec, sx->stx_atime.tv_nsec);
	set_inode_flags(e, sx);
}

/* Writes the header, and what did not fit in it as an extra. */
static int write_header(struct saver *s)
{
	size_t rest;

	split_xattrs(s, &rest);
	if (archive_write_header(s->tar, s->entry) != ARCHIVE_OK)
		return tar_fail(s);
	return rest ? pass_extra(s, NULL, NULL, rest) : 0;
}

int save_dir(struct saver *s, int fd, const struct statx *sx)
{
	int err = read_xattrs(s, fd, NULL);

	if (err)
		return err;
	begin_entry(s, sx);
	return write_header(s);
}

static int find_data(const struct saver *s, int fd, const struct statx *sx, struct content *ret)
{
	if (s->fs_magic == RAMFS_MAGIC)
		return content_find_resident(fd, sx->stx_size, ret);
	if (s->fs_magic == HUGETLBFS_MAGIC && sx->stx_blocks < sx->stx_size / 512)
		return content_find_nonzero(fd, sx->stx_size, s->page, ret);
	return content_find(fd, sx->stx_size, sx->stx_blocks, ret);
}

/* Holes are part of the header. */
static int save_regular(struct saver *s, const char *name, const struct statx *sx)
{
	_cleanup_close_ int fd = s->unnamed >= 0 ?
					 proc_fd_open(s->unnamed, O_RDONLY | O_NOATIME) :
					 open_at(s->dir, name, O_RDONLY | O_NOFOLLOW | O_NOATIME | O_NONBLOCK, 0);
	_cleanup_content_ struct content content = { 0 };
	int err;

	if (fd < 0)
		return fail(fd, "open %s", s->path.data);
	err = find_data(s, fd, sx, &content);
	if (err)
		return fail(err, "%s: look for holes", s->path.data);
	err = read_xattrs(s, fd, NULL);
	if (err)
		return err;
	begin_entry(s, sx);
	archive_entry_set_size(s->entry, (int64_t)sx->stx_size);
	content_describe(&content, s->entry);
	err = write_header(s);
	if (err)
		return err;
	err = content_write(&content, fd, s->tar, s->buffer, SAVE_BUFFER);
	if (err == -EPROTO)
		return tar_fail(s);
	return err ? fail(err, "read %s", s->path.data) : 0;
}

static int save_special(struct saver *s, const char *name, const struct statx *sx)
{
	char target[PATH_MAX];
	ssize_t len;
	int err = read_xattrs(s, -1, name);

	if (err)
		return err;
	if (S_ISSOCK(sx->stx_mode))
		return pass_extra(s, sx, NULL, s->xattrs.list.n);
	begin_entry(s, sx);
	if (S_ISLNK(sx->stx_mode)) {
		len = read_link(s->dir, name, target, sizeof(target));
		if (len < 0)
			return fail((int)len, "read the link %s", s->path.data);
		archive_entry_copy_symlink(s->entry, target);
	}
	if (S_ISCHR(sx->stx_mode) || S_ISBLK(sx->stx_mode)) {
		archive_entry_set_rdevmajor(s->entry, sx->stx_rdev_major);
		archive_entry_set_rdevminor(s->entry, sx->stx_rdev_minor);
	}
	return write_header(s);
}

/* Another name of a file that has been saved as @first. */
static int save_link(struct saver *s, const struct statx *sx, const char *first)
{
	if (S_ISSOCK(sx->stx_mode))
		return pass_extra(s, sx, first, 0);
	begin_entry(s, sx);
	archive_entry_set_size(s->entry, 0);
	archive_entry_copy_hardlink(s->entry, first);
	if (archive_write_header(s->tar, s->entry) != ARCHIVE_OK)
		return tar_fail(s);
	return 0;
}

int save_file(struct saver *s, const char *name, const struct statx *sx)
{
	if (sx->stx_nlink > 1) {
		bool fresh = false;
		uint64_t *slot = hash_slot_of(&s->links, sx->stx_ino, &fresh);

		if (!slot)
			return -ENOMEM;
		if (!fresh)
			return save_link(s, sx, (const char *)(uintptr_t)*slot);
		*slot = (uint64_t)(uintptr_t)strdup(s->path.data);
		if (!*slot)
			return -ENOMEM;
	}
	return S_ISREG(sx->stx_mode) ? save_regular(s, name, sx) : save_special(s, name, sx);
}
