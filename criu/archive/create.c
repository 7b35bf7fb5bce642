// SPDX-License-Identifier: GPL-2.0-only
#include "archive/create.h"
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>
#include "archive/xattrs.h"
#include "base/bits.h"
#include "base/cleanup.h"
#include "util/fds.h"
#include "util/log.h"

void attributes_of_entry(struct archive_entry *entry, struct attributes *ret)
{
	struct timespec mtime = { archive_entry_mtime(entry), archive_entry_mtime_nsec(entry) };
	struct timespec atime = { archive_entry_atime(entry), archive_entry_atime_nsec(entry) };

	*ret = (struct attributes){ .mode = archive_entry_mode(entry),
				    .uid = (uint64_t)archive_entry_uid(entry),
				    .gid = (uint64_t)archive_entry_gid(entry),
				    .times = { archive_entry_atime_is_set(entry) ? atime : mtime, mtime },
				    .entry = entry };
}

void attributes_of_extra(const struct fs_archive_extra *extra, struct attributes *ret)
{
	*ret = (struct attributes){ .mode = extra->mode,
				    .uid = extra->uid,
				    .gid = extra->gid,
				    .times = { extra->atime, extra->mtime },
				    .xattrs = extra->xattrs,
				    .nr_xattrs = extra->nr_xattrs };
}

/* ---- extended attributes ---- */

static bool is_label(const char *name)
{
	return !strcmp(name, "security.selinux") || str_has_prefix(name, "security.SMACK64") ||
	       !strcmp(name, "security.apparmor");
}

/* Labels belong to the policy of the host: another one may not have them. */
static int set_xattr(struct xattr_file file, const struct fs_xattr *xattr, const char *path)
{
	int err = xattr_write(file, xattr->name, xattr->value, xattr->len);

	if (err && is_label(xattr->name)) {
		log_warn("%s: %s: %s; not set", path, xattr->name, strerror(-err));
		return 0;
	}
	return err ? fail(err, "%s: set the extended attribute %s", path, xattr->name) : 0;
}

static int set_xattrs(struct xattr_file file, const struct attributes *a, const char *path)
{
	struct fs_xattr xattr;
	int err = 0;

	for (size_t i = 0; !err && i < a->nr_xattrs; i++)
		err = set_xattr(file, &a->xattrs[i], path);
	if (err || !a->entry)
		return err;
	archive_entry_xattr_reset(a->entry);
	while (!err && !archive_entry_xattr_next(a->entry, &xattr.name, &xattr.value, &xattr.len))
		err = set_xattr(file, &xattr, path);
	return err;
}

static int xattrs_set(int fd, const struct attributes *a, const char *path)
{
	return set_xattrs((struct xattr_file){ fd, NULL }, a, path);
}

int xattrs_set_at(const struct place *at, const struct attributes *a, const char *path)
{
	if (!a->nr_xattrs && (!a->entry || !archive_entry_xattr_count(a->entry)))
		return 0;
	if (fchdir(at->dir) < 0)
		return fail(-errno, "enter the directory of %s", path);
	return set_xattrs((struct xattr_file){ -1, at->name }, a, path);
}

/* ---- attributes ---- */

/* (uid_t)-1 means "unchanged". */
static int check_owner(const struct attributes *a, const char *path)
{
	if (a->uid >= UINT32_MAX || a->gid >= UINT32_MAX)
		return fail(-EBADMSG, "%s: owner %llu:%llu", path, (unsigned long long)a->uid,
			    (unsigned long long)a->gid);
	return 0;
}

/* The owner first: changing it removes set-user-id bits and file capabilities. */
int attributes_set(int fd, const struct attributes *a, const char *path)
{
	int err = check_owner(a, path);

	if (err)
		return err;
	if (fchown(fd, (uid_t)a->uid, (gid_t)a->gid) < 0)
		return fail(-errno, "%s: set the owner %u:%u", path, (unsigned)a->uid, (unsigned)a->gid);
	if (fchmod(fd, a->mode & 07777) < 0)
		return fail(-errno, "%s: set the mode %o", path, (unsigned)a->mode & 07777);
	err = xattrs_set(fd, a, path);
	if (!err && futimens(fd, a->times) < 0)
		err = fail(-errno, "%s: set its times", path);
	return err;
}

int attributes_set_at(const struct place *at, const struct attributes *a, const char *path)
{
	int err = check_owner(a, path);

	if (err)
		return err;
	if (fchownat(at->dir, at->name, (uid_t)a->uid, (gid_t)a->gid, AT_SYMLINK_NOFOLLOW) < 0)
		return fail(-errno, "%s: set the owner %u:%u", path, (unsigned)a->uid, (unsigned)a->gid);
	if (!S_ISLNK(a->mode) && fchmodat(at->dir, at->name, a->mode & 07777, 0) < 0)
		return fail(-errno, "%s: set the mode %o", path, (unsigned)a->mode & 07777);
	err = xattrs_set_at(at, a, path);
	if (!err && utimensat(at->dir, at->name, a->times, AT_SYMLINK_NOFOLLOW) < 0)
		err = fail(-errno, "%s: set its times", path);
	return err;
}

/* ---- files ---- */

/* In a file that is only a hole: archive/content.h. */
static bool is_last_zero(const char *bytes, size_t len, la_int64_t at, la_int64_t size)
{
	return len == 1 && !*bytes && at == size - 1;
}

/* hugetlbfs has no write(2). Mapping reserves the pages: too few are an error here, not a signal later. */
static int write_mapped(int fd, const void *bytes, size_t len, la_int64_t at, la_int64_t size)
{
	struct statfs fs;
	uint64_t start, end;
	char *map;

	if (fstatfs(fd, &fs) < 0)
		return -errno;
	if (fs.f_type != HUGETLBFS_MAGIC || at < 0 || size < at || (uint64_t)(size - at) < len)
		return -EINVAL;
	if (ftruncate(fd, size) < 0)
		return -errno;
	start = ROUND_DOWN((uint64_t)at, (uint64_t)fs.f_bsize);
	end = ROUND_UP((uint64_t)at + len, (uint64_t)fs.f_bsize);
	map = mmap(NULL, end - start, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)start);
	if (map == MAP_FAILED)
		return -errno;
	memcpy(map + ((uint64_t)at - start), bytes, len);
	munmap(map, end - start);
	return 0;
}

static int write_data(int fd, struct archive *tar, la_int64_t size, const char *path)
{
	const void *bytes;
	la_int64_t at;
	size_t len;
	int r, err;

	while ((r = archive_read_data_block(tar, &bytes, &len, &at)) == ARCHIVE_OK) {
		if (!len || is_last_zero(bytes, len, at, size))
			continue;
		err = pwrite_full(fd, bytes, len, at);
		if (err == -EINVAL)
			err = write_mapped(fd, bytes, len, at, size);
		if (err)
			return fail(err, "write %s", path);
	}
	return r == ARCHIVE_EOF ? 0 : fail(-EBADMSG, "%s: %s", path, archive_error_string(tar) ?: "damaged data");
}

int create_regular(const struct place *at, struct archive *tar, struct archive_entry *entry, const char *path)
{
	_cleanup_close_ int fd = open_at(at->dir, at->name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
	struct attributes a;
	int err;

	if (fd < 0)
		return fail(fd, "create %s", path);
	err = write_data(fd, tar, archive_entry_size(entry), path);
	/* A hole at the end has no data. */
	if (!err && ftruncate(fd, archive_entry_size(entry)) < 0)
		err = fail(-errno, "%s: set the size", path);
	if (err)
		return err;
	attributes_of_entry(entry, &a);
	return attributes_set(fd, &a, path);
}

static int create_node(const struct place *at, struct archive_entry *entry)
{
	const char *target = archive_entry_symlink(entry);
	mode_t type = archive_entry_filetype(entry);
	int err = 0;

	switch (type) {
	case AE_IFLNK:
		err = target ? symlinkat(target, at->dir, at->name) : (errno = EBADMSG, -1);
		break;
	case AE_IFIFO:
		err = mknodat(at->dir, at->name, S_IFIFO | 0600, 0);
		break;
	case AE_IFCHR:
	case AE_IFBLK:
		err = mknodat(at->dir, at->name, type | 0600, archive_entry_rdev(entry));
		break;
	default:
		return -EBADMSG;
	}
	return err < 0 ? -errno : 0;
}

int create_special(const struct place *at, struct archive_entry *entry, const char *path)
{
	struct attributes a;
	int err = create_node(at, entry);

	if (err)
		return fail(err, "create %s", path);
	attributes_of_entry(entry, &a);
	return attributes_set_at(at, &a, path);
}

int create_dir(const struct place *at, const char *path)
{
	if (mkdirat(at->dir, at->name, 0700) < 0)
		return fail(-errno, "create the directory %s", path);
	return 0;
}
