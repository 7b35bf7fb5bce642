// SPDX-License-Identifier: GPL-2.0-only
/*
 * Archives of file systems, loaded into a directory: the first byte says whether the rest is an archive as it is, one
 * whose checksums are corrected, or a list of entries that an archive is built from. Nothing beside the directory may
 * change.
 */
#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <ftw.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "archive/fs_archive.h"
#include "util/fds.h"
#include "util/log.h"
#include "util/str.h"
#include "../unit/util_files.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

static int next_extra(void *arg, struct fs_archive_extra *ret)
{
	static const struct fs_xattr xattr = { "user.fuzz", "x", 1 };
	struct buf *rest = arg;
	static char path[64], link[64];
	size_t len;

	if (rest->len < 3)
		return 0;
	len = strnlen(rest->data, rest->len);
	snprintf(path, sizeof(path), "%s", rest->data);
	snprintf(link, sizeof(link), "%s", rest->data + len / 2);
	rest->data += len < rest->len ? len + 1 : len;
	rest->len -= len < rest->len ? len + 1 : len;
	*ret = (struct fs_archive_extra){ .path = path,
					  .mode = len % 3 ? S_IFSOCK | 0600 : 0,
					  .link = len % 5 == 4 ? link : NULL,
					  .xattrs = &xattr,
					  .nr_xattrs = len % 2 };
	return 1;
}

/* ---- archives ---- */

static void correct_checksums(char *bytes, size_t len)
{
	for (size_t at = 0; at + 512 <= len; at += 512) {
		unsigned sum = 0;

		if (memcmp(bytes + at + 257, "ustar", 5) != 0)
			continue;
		memset(bytes + at + 148, ' ', 8);
		for (int i = 0; i < 512; i++)
			sum += (unsigned char)bytes[at + i];
		snprintf(bytes + at + 148, 8, "%06o", sum);
	}
}

static la_ssize_t keep(struct archive *a, void *to, const void *bytes, size_t len)
{
	return buf_add(to, bytes, len) ? ARCHIVE_FATAL : (la_ssize_t)len;
}

static const char *take_text(const char **at, const char *end)
{
	static const char *const names[] = { "a", "b",	       "a/b", "a/b/c", "../x", "/x",
					     ".", "a/../../x", "l",   "l/x",   "..",   "b/l" };
	static char text[128];
	size_t n;

	if (*at == end)
		return "a";
	n = (unsigned char)*(*at)++;
	if (n < 200)
		return names[n % (sizeof(names) / sizeof(*names))];
	n = (size_t)(end - *at) < n - 200 ? (size_t)(end - *at) : n - 200;
	snprintf(text, sizeof(text), "%.*s", (int)n, *at);
	*at += n;
	return text;
}

static void add_entry(struct archive *a, const char **at, const char *end)
{
	static const mode_t types[] = {
		AE_IFREG, AE_IFDIR, AE_IFLNK, AE_IFIFO, AE_IFCHR, AE_IFDIR, AE_IFREG, AE_IFLNK
	};
	struct archive_entry *e = archive_entry_new();
	unsigned char what = (unsigned char)*(*at)++;
	mode_t type = types[what % 8];

	archive_entry_copy_pathname(e, take_text(at, end));
	archive_entry_set_mode(e, type | 0755);
	archive_entry_set_uid(e, what);
	archive_entry_set_size(e, type == AE_IFREG && !(what & 8) ? 3 : 0);
	if (type == AE_IFLNK)
		archive_entry_copy_symlink(e, take_text(at, end));
	else if (what & 8)
		archive_entry_copy_hardlink(e, take_text(at, end));
	if (what & 16)
		archive_entry_xattr_add_entry(e, "user.x", "y", 1);
	if (archive_write_header(a, e) == ARCHIVE_OK && archive_entry_size(e))
		archive_write_data(a, "abc", 3);
	archive_entry_free(e);
}

static void build_archive(const char *bytes, size_t len, struct buf *to)
{
	struct archive *a = archive_write_new();
	const char *at = bytes, *end = bytes + len;

	archive_write_set_format_pax(a);
	archive_write_set_options(a, "hdrcharset=BINARY,xattrheader=SCHILY");
	archive_write_open(a, to, NULL, keep, NULL);
	while (at < end)
		add_entry(a, &at, end);
	archive_write_free(a);
}

/* ---- */

static int top = -1, cwd = -1;

static void load_into(int dir, const struct buf *archive, const struct buf *extras)
{
	struct buf rest = { .data = extras->data, .len = extras->len };
	struct fs_archive_input in = {
		.bytes = (const uint8_t *)archive->data, .len = archive->len, .next_extra = next_extra, .arg = &rest
	};

	fs_archive_load(dir, &in);
}

static void check_outside(void)
{
	struct stat st;

	/* Only "in" and "victim". */
	if (fstat(top, &st) || st.st_nlink != 4 || fstatat(top, "x", &st, AT_SYMLINK_NOFOLLOW) == 0)
		abort();
	if (fstatat(top, "victim/file", &st, 0) || st.st_size != 5 || st.st_nlink != 1 ||
	    st.st_mode != (S_IFREG | 0600))
		abort();
}

static void start(void)
{
	char name[] = "fuzz_archive.XXXXXX";

	log_set_level(LOG_SILENT);
	cwd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (!mkdtemp(name))
		abort();
	/* In memory, if possible. */
	if (!unshare(CLONE_NEWNS) && !mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		mount("fuzz", name, "tmpfs", 0, NULL);
	if ((top = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		abort();
	mkdirat(top, "victim", 0700);
	write_file(top, "victim/file", "whole", 5);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf archive = { 0 }, extras = { 0 };
	int dir;

	if (top < 0)
		start();
	if (size < 2)
		return 0;
	if (data[0] % 4 == 3)
		build_archive((const char *)data + 1, size - 1, &archive);
	else
		buf_add(&archive, data + 1, size - 1);
	if (data[0] % 4 == 1)
		correct_checksums(archive.data, archive.len);
	buf_add(&extras, data + 1, size - 1 < 64 ? size - 1 : 64);
	mkdirat(top, "in", 0700);
	dir = openat(top, "in", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	load_into(dir, &archive, &extras);
	check_outside();
	close(dir);
	if (fchdir(top) < 0)
		abort();
	nftw("in", remove_one, 16, FTW_DEPTH | FTW_PHYS);
	if (fchdir(cwd) < 0)
		abort();
	buf_free(&archive);
	buf_free(&extras);
	return 0;
}
