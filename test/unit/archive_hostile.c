// SPDX-License-Identifier: GPL-2.0-only
/* Archives that try to reach something outside of the directory that they are loaded into. Needs root. */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "archive/fs_archive.h"
#include "base/cleanup.h"
#include "util/fds.h"
#include "util/str.h"
#include "util_check.h"
#include "util_files.h"

static char base[] = "/tmp/archive_hostile.XXXXXX";
static int outer, inner; /* the second is a directory in the first */

/* ---- archives ---- */

struct entry {
	const char *path;
	mode_t type;
	const char *target; /* of a link, or the content */
	bool hard;
	int64_t size; /* 0: that of the content */
};

static la_ssize_t keep(struct archive *a, void *to, const void *bytes, size_t len)
{
	return buf_add(to, bytes, len) ? ARCHIVE_FATAL : (la_ssize_t)len;
}

static void add_entry(struct archive *a, const struct entry *e)
{
	struct archive_entry *entry = archive_entry_new();
	size_t len = e->type == AE_IFREG && e->target && !e->hard ? strlen(e->target) : 0;

	archive_entry_copy_pathname(entry, e->path);
	archive_entry_set_mode(entry, e->type | 0755);
	archive_entry_set_mtime(entry, 1000000000, 0);
	archive_entry_set_size(entry, e->size ? e->size : (int64_t)len);
	if (e->hard)
		archive_entry_copy_hardlink(entry, e->target);
	else if (e->type == AE_IFLNK)
		archive_entry_copy_symlink(entry, e->target);
	if (e->size)
		archive_entry_sparse_add_entry(entry, 0, 1);
	if (archive_write_header(a, entry))
		abort();
	if (len || e->size)
		archive_write_data(a, e->size ? "x" : e->target, e->size ? 1 : len);
	archive_entry_free(entry);
}

static int load(const struct entry *entries)
{
	_cleanup_buf_ struct buf bytes = { 0 };
	struct archive *a = archive_write_new();
	struct fs_archive_input in = { 0 };

	archive_write_set_format_pax(a);
	archive_write_set_options(a, "hdrcharset=BINARY");
	archive_write_open(a, &bytes, NULL, keep, NULL);
	for (const struct entry *e = entries; e->path; e++)
		add_entry(a, e);
	archive_write_free(a);
	in.bytes = (const uint8_t *)bytes.data;
	in.len = bytes.len;
	return fs_archive_load(inner, &in);
}

static void fresh(void)
{
	umount2(base, MNT_DETACH);
	if (mount("test", base, "tmpfs", 0, NULL) < 0)
		abort();
	close(outer);
	close(inner);
	outer = open(base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	mkdirat(outer, "inner", 0700);
	mkdirat(outer, "victim", 0700);
	write_file(outer, "victim/file", "whole", 5);
	inner = openat(outer, "inner", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static bool outside_is_unchanged(void)
{
	_cleanup_buf_ struct buf text = { 0 };
	struct stat top, victim, file;

	return !fstat(outer, &top) && top.st_nlink == 4 && !fstatat(outer, "victim", &victim, 0) &&
	       victim.st_nlink == 2 && victim.st_mode == (S_IFDIR | 0700) && !fstatat(outer, "victim/file", &file, 0) &&
	       file.st_nlink == 1 && file.st_mode == (S_IFREG | 0600) && !read_file(outer, "victim/file", &text) &&
	       !strcmp(text.data, "whole") && faccessat(outer, "victim/new", F_OK, 0) < 0 &&
	       faccessat(outer, "new", F_OK, 0) < 0;
}

static int try(const struct entry *entries)
{
	int err;

	fresh();
	err = load(entries);
	if (!outside_is_unchanged())
		return 1;
	return err;
}

/* ---- tests ---- */

static void paths_that_lead_out_are_refused(void)
{
	static const char *const paths[] = { "../new", "/tmp/new", "a/../../new", "./../victim/file",
					     "..",     "/",	   "a/..",	  "//x" };

	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
		const struct entry file[] = { { .path = "a", .type = AE_IFDIR },
					      { .path = paths[i], .type = AE_IFREG, .target = "new" },
					      { .path = NULL } };
		const struct entry dir[] = { { .path = "a", .type = AE_IFDIR },
					     { .path = paths[i], .type = AE_IFDIR },
					     { .path = NULL } };
		const struct entry node[] = { { .path = "a", .type = AE_IFDIR },
					      { .path = paths[i], .type = AE_IFIFO },
					      { .path = NULL } };
		const struct entry link[] = { { .path = "a", .type = AE_IFREG, .target = "x" },
					      { .path = paths[i], .type = AE_IFREG, .target = "a", .hard = true },
					      { .path = NULL } };

		CHECK(try(file) == -EBADMSG);
		CHECK(try(dir) == -EBADMSG);
		CHECK(try(node) == -EBADMSG);
		CHECK(try(link) == -EBADMSG);
	}
}

static void links_are_not_followed(void)
{
	const struct entry below[] = { { .path = "link", .type = AE_IFLNK, .target = "../victim" },
				       { .path = "link/new", .type = AE_IFREG, .target = "new" },
				       { .path = NULL } };
	const struct entry same_name[] = { { .path = "link", .type = AE_IFLNK, .target = "../victim/file" },
					   { .path = "link", .type = AE_IFREG, .target = "new" },
					   { .path = NULL } };
	const struct entry as_dir[] = { { .path = "link", .type = AE_IFLNK, .target = "../victim" },
					{ .path = "link", .type = AE_IFDIR },
					{ .path = "link/new", .type = AE_IFREG, .target = "n" },
					{ .path = NULL } };
	const struct entry absolute[] = { { .path = "link", .type = AE_IFLNK, .target = base },
					  { .path = "link/victim/new", .type = AE_IFREG, .target = "n" },
					  { .path = NULL } };
	const struct entry inside[] = { { .path = "d", .type = AE_IFDIR },
					{ .path = "link", .type = AE_IFLNK, .target = "d" },
					{ .path = "link/new", .type = AE_IFREG, .target = "n" },
					{ .path = NULL } };

	CHECK(try(below) == -ENOTDIR);
	CHECK(try(same_name) == -EEXIST);
	CHECK(try(as_dir) == -EEXIST);
	CHECK(try(absolute) == -ELOOP);
	CHECK(try(inside) == -ENOTDIR);
}

static void hard_links_lead_to_files_of_the_archive(void)
{
	const struct entry out[] = { { .path = "a", .type = AE_IFREG, .target = "../victim/file", .hard = true },
				     { .path = NULL } };
	const struct entry absolute[] = { { .path = "a", .type = AE_IFREG, .target = "/etc/passwd", .hard = true },
					  { .path = NULL } };
	const struct entry through[] = { { .path = "link", .type = AE_IFLNK, .target = "../victim" },
					 { .path = "a", .type = AE_IFREG, .target = "link/file", .hard = true },
					 { .path = NULL } };
	const struct entry dir[] = { { .path = "d", .type = AE_IFDIR },
				     { .path = "a", .type = AE_IFREG, .target = "d", .hard = true },
				     { .path = NULL } };
	const struct entry missing[] = { { .path = "a", .type = AE_IFREG, .target = "b", .hard = true },
					 { .path = NULL } };
	const struct entry root[] = { { .path = "a", .type = AE_IFREG, .target = ".", .hard = true },
				      { .path = NULL } };
	struct stat st;

	CHECK(try(out) == -EBADMSG);
	CHECK(try(absolute) == -EBADMSG);
	CHECK(try(through) == -ENOTDIR);
	CHECK(try(dir) == -EPERM);
	CHECK(try(missing) == -ENOENT);
	CHECK(try(root) == -EBADMSG);
	/* Of a symbolic link itself. */
	const struct entry of_link[] = { { .path = "link", .type = AE_IFLNK, .target = "../victim/file" },
					 { .path = "a", .type = AE_IFREG, .target = "link", .hard = true },
					 { .path = NULL } };
	CHECK(!try(of_link));
	CHECK(!fstatat(inner, "a", &st, AT_SYMLINK_NOFOLLOW) && S_ISLNK(st.st_mode) && st.st_nlink == 2);
}

static void mounts_are_not_crossed(void)
{
	const struct entry entries[] = { { .path = "mounted/new", .type = AE_IFREG, .target = "new" },
					 { .path = NULL } };
	char path[64];

	fresh();
	mkdirat(inner, "mounted", 0700);
	snprintf(path, sizeof(path), "%s/inner/mounted", base);
	CHECK(!mount("other", path, "tmpfs", 0, NULL));
	CHECK(load(entries) == -EXDEV);
	CHECK(!umount(path));
	CHECK(!load(entries));
}

static void malformed_trees_are_refused(void)
{
	char long_name[300];
	const struct entry no_parent[] = { { .path = "a/b", .type = AE_IFREG, .target = "x" }, { .path = NULL } };
	const struct entry twice[] = { { .path = "a", .type = AE_IFREG, .target = "x" },
				       { .path = "a", .type = AE_IFREG, .target = "x" },
				       { .path = NULL } };
	const struct entry below_file[] = { { .path = "a", .type = AE_IFREG, .target = "x" },
					    { .path = "a/b", .type = AE_IFREG, .target = "x" },
					    { .path = NULL } };
	const struct entry root_file[] = { { .path = ".", .type = AE_IFREG, .target = "x" }, { .path = NULL } };
	const struct entry root_link[] = { { .path = "./", .type = AE_IFLNK, .target = "x" }, { .path = NULL } };
	const struct entry too_long[] = { { .path = long_name, .type = AE_IFREG, .target = "x" }, { .path = NULL } };
	const struct entry huge[] = { { .path = "huge", .type = AE_IFREG, .size = INT64_MAX }, { .path = NULL } };

	memset(long_name, 'x', sizeof(long_name) - 1);
	long_name[sizeof(long_name) - 1] = 0;
	CHECK(try(no_parent) == -ENOENT);
	CHECK(try(twice) == -EEXIST);
	CHECK(try(below_file) == -ENOTDIR);
	CHECK(try(root_file) == -EBADMSG);
	CHECK(try(root_link) == -EBADMSG);
	CHECK(try(too_long) == -EBADMSG);
	CHECK(try(huge) <= 0);
}

static int next(void *arg, struct fs_archive_extra *ret)
{
	struct fs_archive_extra **at = arg;

	if (!(*at)->path)
		return 0;
	*ret = *(*at)++;
	return 1;
}

static int try_extras(struct fs_archive_extra *extras)
{
	/* A link that leads out, a directory and the end of the archive. */
	_cleanup_buf_ struct buf bytes = { 0 };
	struct archive *a = archive_write_new();
	struct fs_archive_input in = { .next_extra = next, .arg = &extras };
	int err;

	fresh();
	archive_write_set_format_pax(a);
	archive_write_open(a, &bytes, NULL, keep, NULL);
	add_entry(a, &(struct entry){ .path = "link", .type = AE_IFLNK, .target = "../victim" });
	add_entry(a, &(struct entry){ .path = "to_file", .type = AE_IFLNK, .target = "../victim/file" });
	add_entry(a, &(struct entry){ .path = "dir", .type = AE_IFDIR });
	archive_write_free(a);
	in.bytes = (const uint8_t *)bytes.data;
	in.len = bytes.len;
	err = fs_archive_load(inner, &in);
	return outside_is_unchanged() ? err : 1;
}

static void extras_stay_inside_too(void)
{
	static const struct fs_xattr xattr = { "trusted.x", "x", 1 };
	static const struct {
		struct fs_archive_extra extra;
		int err;
	} cases[] = {
		{ { .path = "../new", .mode = S_IFSOCK }, -EBADMSG },
		{ { .path = "link/new", .mode = S_IFSOCK }, -ENOTDIR },
		{ { .path = "to_file", .mode = S_IFSOCK }, -EEXIST },
		{ { .path = ".", .mode = S_IFSOCK }, -EBADMSG },
		{ { .path = "", .mode = S_IFSOCK }, -EBADMSG },
		{ { .path = "new", .mode = S_IFREG }, -EBADMSG },
		{ { .path = "new", .mode = S_IFSOCK, .link = "../victim/file" }, -EBADMSG },
		{ { .path = "new", .mode = S_IFSOCK, .link = "link/file" }, -ENOTDIR },
		{ { .path = "../victim", .mode = 0, .xattrs = &xattr, .nr_xattrs = 1 }, -EBADMSG },
		{ { .path = "link/file", .mode = 0, .xattrs = &xattr, .nr_xattrs = 1 }, -ENOTDIR },
		{ { .path = "dir/missing", .mode = 0, .xattrs = &xattr, .nr_xattrs = 1 }, -ENOENT },
		{ { .path = "dir/sock", .mode = S_IFSOCK }, 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct fs_archive_extra list[] = { cases[i].extra, { .path = NULL } };

		CHECK(try_extras(list) == cases[i].err);
	}
	/* The attribute is the link's own. */
	struct fs_archive_extra on_link[] = { { .path = "to_file", .mode = 0, .xattrs = &xattr, .nr_xattrs = 1 },
					      { .path = NULL } };
	CHECK(!try_extras(on_link));
}

int main(void)
{
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
		printf("needs root: a mount namespace of its own: %s\n", strerror(errno));
		return 77;
	}
	umask(0);
	if (!mkdtemp(base))
		return 1;
	outer = inner = -1;
	RUN(paths_that_lead_out_are_refused);
	RUN(links_are_not_followed);
	RUN(hard_links_lead_to_files_of_the_archive);
	RUN(mounts_are_not_crossed);
	RUN(malformed_trees_are_refused);
	RUN(extras_stay_inside_too);
	if (chdir("/") < 0)
		return 1;
	umount2(base, MNT_DETACH);
	rmdir(base);
	DONE();
}
