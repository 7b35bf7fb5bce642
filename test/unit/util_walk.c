// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/bits.h"
#include "base/cleanup.h"
#include "util/fds.h"
#include "util/output.h"
#include "util/walk.h"
#include "util_check.h"
#include "util_files.h"

static char dir[] = "/tmp/util_walk.XXXXXX";
static int top;

static int count(void *arg, const struct walk_step *step)
{
	++*(int *)arg;
	return step->fd < 0 || !S_ISLNK(step->st->st_mode) || strcmp(step->name, "bad") ? 0 : -EACCES;
}

static int walk_to(int root, const char *path, bool follow, int *steps)
{
	_cleanup_walk_ struct walk w = { .root = root, .follow_last = follow, .judge = count, .arg = steps, .dir = -1 };

	return walk_path(&w, root == AT_FDCWD ? top : root, path);
}

/* As the kernel does it, with @root as the root. */
static int kernel_to(int root, const char *path, bool follow)
{
	struct open_how how = { .flags = O_PATH | O_CLOEXEC | (follow ? 0 : O_NOFOLLOW),
				.resolve = root == AT_FDCWD ? 0 : RESOLVE_IN_ROOT };
	int fd = syscall(SYS_openat2, root == AT_FDCWD ? top : root, path, &how, sizeof(how));

	return fd < 0 ? -errno : fd;
}

static bool same(int a, int b)
{
	struct stat x, y;
	bool is = a < 0 || b < 0 ? a == b || (a == -ENOENT && b == -ENOTDIR) :
				   !fstat(a, &x) && !fstat(b, &y) && x.st_dev == y.st_dev && x.st_ino == y.st_ino;

	if (a >= 0)
		close(a);
	if (b >= 0)
		close(b);
	return is;
}

static void paths_lead_where_the_kernel_resolves_them(void)
{
	static const char *const paths[] = {
		"a",	       "a/b",	      "a/b/file",
		"a//b/./file", "a/../a/b",    "a/b/..",
		"..",	       "../..",	      ".",
		"a/",	       "a/b/file/x",  "missing",
		"missing/x",   "abs",	      "abs/file",
		"up",	       "up/b",	      "loop",
		"loop/x",      "dangling",    "dangling/x",
		"file",	       "/",	      "/a/b",
		"/abs",	       "/up/../up/b", "/../../a",
		"chain",       "chain/file",  "a/b/back",
		"a/b/back/b",  "/.",	      "a/b/back/../a/b/file",
	};
	int steps = 0;

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		for (int follow = 0; follow < 2; follow++) {
			if (!same(walk_to(top, paths[i], follow, &steps), kernel_to(top, paths[i], follow)))
				printf("# %s in the root, follow %d\n", paths[i], follow);
			CHECK(same(walk_to(top, paths[i], follow, &steps), kernel_to(top, paths[i], follow)));
			CHECK(same(walk_to(AT_FDCWD, paths[i], follow, &steps), kernel_to(AT_FDCWD, paths[i], follow)));
		}
	}
	CHECK(same(walk_to(AT_FDCWD, "/proc/self/fd/0", true, &steps), kernel_to(AT_FDCWD, "/proc/self/fd/0", true)));
	CHECK(same(walk_to(AT_FDCWD, "/proc/self/root/tmp", true, &steps), kernel_to(AT_FDCWD, "/tmp", true)));
}

static void each_component_is_checked(void)
{
	int steps = 0, fd = walk_to(top, "a/b/file", true, &steps);

	CHECK(fd >= 0 && steps == 3);
	close(fd);
	steps = 0;
	fd = walk_to(top, "up/b", true, &steps); /* up -> a/b/../../a, b */
	CHECK(fd >= 0 && steps == 7);
	close(fd);
	CHECK(walk_to(top, "bad/b", true, &steps) == -EACCES && walk_to(top, "bad", false, &steps) == -EACCES);
}

static void the_parent_of_a_missing_file_is_returned(void)
{
	int steps = 0;
	_cleanup_walk_ struct walk w = { .root = top, .follow_last = true, .judge = count, .arg = &steps, .dir = -1 };
	_cleanup_close_ int b = kernel_to(top, "a/b", true);
	struct stat x, y;

	CHECK(walk_path(&w, top, "dangling") == -ENOENT && w.dir >= 0 && !strcmp(w.name, "none"));
	CHECK(!fstat(w.dir, &x) && !fstat(b, &y) && x.st_ino == y.st_ino);
	walk_free(&w);
	CHECK(walk_path(&w, top, "missing/x") == -ENOENT && w.dir < 0);
}

static void output_is_created_and_truncated(void)
{
	char text[8] = "";
	struct stat st;
	int fd;

	CHECK(!output_write(top, "out", "12345", 5) && !output_write(top, "out", "ab", 2));
	CHECK(!fstatat(top, "out", &st, 0) && st.st_size == 2 && (st.st_mode & 0777) == 0600);
	CHECK(!symlinkat("out", top, "own") && !output_write(top, "own", "xyz", 3));
	fd = open_at(top, "out", O_RDONLY, 0);
	CHECK(fd >= 0 && read_full(fd, text, sizeof(text)) == 3 && !strcmp(text, "xyz"));
	close(fd);
	CHECK(output_open(top, "missing/out", 1) == -ENOENT && output_open(top, "a", 0) == -EISDIR);
}

static void files_of_other_users_are_refused(void)
{
	if (geteuid()) {
		printf("# only root can change its uid\n");
		return;
	}
	CHECK(!mkdirat(top, "his", 0755) && !fchownat(top, "his", 65534, 65534, 0));
	CHECK(!symlinkat("../file", top, "his/link") && !fchownat(top, "his/link", 65534, 65534, AT_SYMLINK_NOFOLLOW));
	CHECK(!mkfifoat(top, "his/fifo", 0600) && !fchownat(top, "his/fifo", 65534, 65534, 0));
	CHECK(!linkat(top, "file", top, "his/second", 0));
	CHECK(output_open(top, "his/link", 1) == -EPERM && output_open(top, "his/fifo", 1) == -EPERM &&
	      output_open(top, "his/second", 1) == -EPERM);
	CHECK(!symlinkat("../a", top, "his/a") && !fchownat(top, "his/a", 65534, 65534, AT_SYMLINK_NOFOLLOW));
	CHECK(output_open(top, "his/a/new", 1) == -EPERM);
	CHECK(!symlinkat("../a/new", top, "his/ours") && !output_write(top, "his/ours", "1", 1));
	CHECK(!output_write(top, "his/new", "1", 1) && !output_write(top, "his/new", "2", 1));
}

int main(void)
{
	char command[64];

	if (!mkdtemp(dir) || (top = open_at(AT_FDCWD, dir, O_RDONLY | O_DIRECTORY, 0)) < 0)
		abort();
	if (mkdirat(top, "a", 0755) || mkdirat(top, "a/b", 0755) || write_file(top, "a/b/file", "1", 1) ||
	    write_file(top, "file", "1", 1) || symlinkat("/a/b", top, "abs") || symlinkat("a/b/../../a", top, "up") ||
	    symlinkat("loop", top, "loop") || symlinkat("a/b/none", top, "dangling") ||
	    symlinkat("abs", top, "chain") || symlinkat("../..", top, "a/b/back") || symlinkat("a", top, "bad"))
		abort();
	RUN(paths_lead_where_the_kernel_resolves_them);
	RUN(each_component_is_checked);
	RUN(the_parent_of_a_missing_file_is_returned);
	RUN(output_is_created_and_truncated);
	RUN(files_of_other_users_are_refused);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	if (system(command))
		printf("# %s is left behind\n", dir);
	DONE();
}
