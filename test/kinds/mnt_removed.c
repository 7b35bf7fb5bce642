// SPDX-License-Identifier: GPL-2.0-only
/*
 * Bind mounts of what has been removed: of a file with attributes and holes, twice; of one whose name another file has by now;
 * of one whose directory is gone, too; of a directory; of one whose name, and of one whose directory something else has by now;
 * of a file of the root file system, which comes from outside; in a file system that has no inodes left. Their content,
 * identity, names, and that nothing else is left in their file systems; open files.
 * test: flavours=container breaks=6 decode=yes ignore=.
 */
#include "checkpoint.h"
#include <dirent.h>
#include <sys/mount.h>
#include <sys/xattr.h>

static int full; /* a descriptor, opened by its old name */

static void bind_removed(const char *file, const char *to)
{
	write_file(test_path(to), "");
	need(!mount(test_path(file), test_path(to), NULL, MS_BIND, NULL), "bind %s (errno %d)", file, errno);
}

static void file_of(const char *name, const char *text)
{
	write_file(test_path(name), text);
}

/* The rest of its line in mountinfo, after ids. */
static void root_of(const char *to, char *ret, size_t size)
{
	FILE *f = fopen("/proc/self/mountinfo", "r");
	char line[4096], root[512], point[512];

	need(f, "mountinfo");
	*ret = 0;
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "%*d %*d %*s %511s %511s", root, point) == 2 && !strcmp(point, test_path(to)))
			snprintf(ret, size, "%s", root);
	fclose(f);
}

static void set_times(const char *name, long sec)
{
	const struct timespec times[] = { { sec, 5 }, { sec + 1, 7 } };

	need(!utimensat(AT_FDCWD, test_path(name), times, 0), "times");
}

static void bind_removed_dir(const char *dir, const char *to)
{
	need(!mkdir(test_path(dir), 0711) && !mkdir(test_path(to), 0755) &&
		     !mount(test_path(dir), test_path(to), NULL, MS_BIND, NULL) && !rmdir(test_path(dir)),
	     "directory %s (errno %d)", dir, errno);
}

/* No inode is free: the root directory, a removed file, and another. */
static void fill_up(void)
{
	need(!mkdir(test_path("full"), 0755) && !mount("full", test_path("full"), "tmpfs", 0, "size=1m,nr_inodes=3"),
	     "tmpfs");
	file_of("full/file", "full");
	full = open(test_path("full/file"), O_RDWR);
	bind_removed("full/file", "of-full");
	unlink(test_path("full/file"));
	file_of("full/other", "other");
	need(full >= 0 && mkdir(test_path("full/more"), 0700) < 0 && errno == ENOSPC, "an inode is left");
}

static void build(void)
{
	int fd;

	need(!mkdir(test_path("fs"), 0755) && !mount("fs", test_path("fs"), "tmpfs", 0, "size=8m"), "tmpfs");
	file_of("fs/file", "content");
	fd = open(test_path("fs/file"), O_WRONLY);
	need(fd >= 0 && pwrite(fd, "end", 3, 4 << 20) == 3 && !close(fd), "write");
	need(!chmod(test_path("fs/file"), 04640) && !setxattr(test_path("fs/file"), "trusted.x", "y", 1, 0) &&
		     !chown(test_path("fs/file"), 11, 12) && !chmod(test_path("fs/file"), 04640),
	     "attributes");
	bind_removed("fs/file", "first");
	bind_removed("fs/file", "second");
	set_times("fs/file", 1000000000);
	unlink(test_path("fs/file"));
	file_of("fs/replaced", "old");
	bind_removed("fs/replaced", "replaced");
	unlink(test_path("fs/replaced"));
	file_of("fs/replaced", "new");
	need(!mkdir(test_path("fs/gone"), 0755), "mkdir");
	file_of("fs/gone/deep", "deep");
	bind_removed("fs/gone/deep", "deep");
	unlink(test_path("fs/gone/deep"));
	need(!rmdir(test_path("fs/gone")), "rmdir");
	need(!mkdir(test_path("fs/dir"), 0710) && !mkdir(test_path("dir"), 0755) &&
		     !mount(test_path("fs/dir"), test_path("dir"), NULL, MS_BIND, NULL) && !rmdir(test_path("fs/dir")),
	     "directory");
	bind_removed_dir("fs/taken", "taken");
	file_of("fs/taken", "new");
	need(!mkdir(test_path("fs/a"), 0755) && !mkdir(test_path("fs/a/b"), 0755), "mkdir");
	bind_removed_dir("fs/a/b/nested", "nested");
	need(!rmdir(test_path("fs/a/b")) && !rmdir(test_path("fs/a")), "rmdir");
	fill_up();
	file_of("outside", "of the root");
	bind_removed("outside", "bound");
	unlink(test_path("outside"));
	set_times("fs", 1100000000);
}

static ino_t ino_of(const char *name)
{
	struct stat st = { 0 };

	stat(test_path(name), &st);
	return st.st_ino;
}

static bool has_text(const char *name, const char *text)
{
	char buf[64] = "";
	int fd = open(test_path(name), O_RDONLY);
	ssize_t len = read(fd, buf, sizeof(buf) - 1);

	close(fd);
	return len >= (ssize_t)strlen(text) && !memcmp(buf, text, strlen(text));
}

static void check_file(void)
{
	struct stat st = { 0 };
	char x[4] = "";

	check(!stat(test_path("first"), &st) && st.st_mode == (S_IFREG | 04640) && st.st_uid == 11 && st.st_gid == 12 &&
		      st.st_nlink == 0 && st.st_size == (4 << 20) + 3 && st.st_blocks < 100,
	      "mode %o, owner %u:%u, links %d, size %ld, blocks %ld", st.st_mode, st.st_uid, st.st_gid,
	      (int)st.st_nlink, (long)st.st_size, (long)st.st_blocks);
	check(st.st_mtim.tv_sec == 1000000001 && st.st_mtim.tv_nsec == 7, "time: %ld", (long)st.st_mtim.tv_sec);
	check(getxattr(test_path("first"), "trusted.x", x, 4) == 1 && *x == 'y', "attribute");
	check(has_text("first", "content"), "content");
	check(ino_of("first") == ino_of("second"), "two mounts of one file");
}

static int count_names(void)
{
	DIR *dir = opendir(test_path("fs"));
	int n = 0;

	need(dir, "directory");
	while (readdir(dir))
		n++;
	closedir(dir);
	return n - 2;
}

static void corrupt(int fault)
{
	const char *names[] = { "first", "replaced", "deep", "bound", "nested", "of-full" };

	if (fault)
		umount(test_path(names[fault - 1]));
}

int main(int argc, char **argv)
{
	static const char *const same[] = {
		"first", "second", "replaced", "deep", "dir", "taken", "nested", "of-full"
	};
	char before[8][512], after[512], byte = 'C';
	struct stat st, of_mount;
	int fd;

	test_init(argc, argv);
	build();
	fd = open(test_path("second"), O_RDWR);
	need(fd >= 0, "open");
	for (int i = 0; i < 8; i++)
		root_of(same[i], before[i], sizeof(before[i]));
	corrupt(checkpoint_here());
	for (int i = 0; i < 8; i++) {
		root_of(same[i], after, sizeof(after));
		check(!strcmp(before[i], after), "%s: root %s, before %s", same[i], after, before[i]);
	}
	check_file();
	check(has_text("replaced", "old") && has_text("fs/replaced", "new"), "a file with the same name");
	check(has_text("deep", "deep") && access(test_path("fs/gone"), F_OK) < 0, "one of a removed directory");
	check(has_text("bound", "of the root") && access(test_path("outside"), F_OK) < 0, "of the root file system");
	check(!stat(test_path("fs"), &st) && st.st_mtim.tv_sec == 1100000001, "time of the directory: %ld",
	      (long)st.st_mtim.tv_sec);
	check(has_text("fs/taken", "new") && access(test_path("fs/a"), F_OK) < 0, "what has its name");
	check(!stat(test_path("nested"), &st) && st.st_mode == (S_IFDIR | 0711), "nested: %o", st.st_mode);
	check(mkdir(test_path("full/more"), 0700) < 0 && errno == ENOSPC, "an inode is left (errno %d)", errno);
	check(has_text("of-full", "full") && has_text("full/other", "other"), "a file system without inodes");
	check(!fstat(full, &st) && !stat(test_path("of-full"), &of_mount) && st.st_ino == of_mount.st_ino &&
		      st.st_dev == of_mount.st_dev && pwrite(full, "F", 1, 0) == 1 && has_text("of-full", "Full"),
	      "a descriptor opened by the old name is another file: inode %lu, not %lu", (long)st.st_ino,
	      (long)of_mount.st_ino);
	check(count_names() == 2, "%d names", count_names());
	check(pwrite(fd, &byte, 1, 0) == 1 && has_text("first", "Content"), "the open file is another one");
	check(!stat(test_path("dir"), &st) && st.st_mode == (S_IFDIR | 0710) && mkdir(test_path("dir/x"), 0700) < 0 &&
		      errno == ENOENT,
	      "directory: %o (errno %d)", st.st_mode, errno);
	test_done();
}
