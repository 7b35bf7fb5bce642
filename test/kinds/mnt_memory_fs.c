// SPDX-License-Identifier: GPL-2.0-only
/*
 * Other file systems in memory, in a mount namespace: ramfs with files and a mapping; hugetlbfs with limits, a file with a
 * hole and a mapping of it; an empty bpf; fusectl, pstore, binfmt_misc, debugfs,
 * tracefs, securityfs, devtmpfs of the host.
 * test: breaks=3 flavours=container ignore=fd/[0-9]+/ino|maps
 */
#include "checkpoint.h"
#include <sys/mount.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>

#define HUGE (2ul << 20)

static bool mount_one(const char *type, const char *options)
{
	mkdir(type, 0755);
	return !mount(type, type, type, 0, options);
}

static void put(const char *path, mode_t mode, const char *text)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	need(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) && !fchmod(fd, mode), "%s", path);
	close(fd);
}

static char *map_file(const char *path, size_t size, int flags)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
	char *map;

	need(!ftruncate(fd, (off_t)size), "size of %s", path);
	map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | flags, fd, 0);
	close(fd);
	return map;
}

static bool is_type(const char *path, const char *type)
{
	char line[1000], wanted[300];
	FILE *f = fopen("/proc/self/mountinfo", "re");
	bool found = false;

	snprintf(wanted, sizeof(wanted), "%s/%s ", test_dir(), path);
	while (f && fgets(line, sizeof(line), f)) {
		const char *at = strstr(line, wanted), *dash = strstr(line, " - ");

		if (at && dash && !strncmp(dash + 3, type, strlen(type)) && dash[3 + strlen(type)] == ' ')
			found = true;
	}
	fclose(f);
	return found;
}

static char *make_huge(void)
{
	char *map;

	if (!mount_one("hugetlbfs", "size=20M,uid=3,gid=4,mode=0751,nr_inodes=30"))
		return NULL;
	map = map_file("hugetlbfs/pages", 3 * HUGE, MAP_NORESERVE);
	if (map == MAP_FAILED || madvise(map + 2 * HUGE, HUGE, MADV_POPULATE_WRITE)) {
		umount2("hugetlbfs", MNT_DETACH);
		return NULL;
	}
	strcpy(map + 2 * HUGE + 100, "in a huge page");
	return map;
}

static void check_huge(const char *map)
{
	struct statfs fs = { 0 };
	struct stat st = { 0 };

	check(is_type("hugetlbfs", "hugetlbfs") && !statfs("hugetlbfs", &fs) && fs.f_blocks == 10 && fs.f_files == 30,
	      "%ld blocks, %ld files", (long)fs.f_blocks, (long)fs.f_files);
	check(!stat("hugetlbfs", &st) && st.st_uid == 3 && st.st_gid == 4 && (st.st_mode & 07777) == 0751,
	      "root of %u:%u, %o", st.st_uid, st.st_gid, st.st_mode);
	check(!stat("hugetlbfs/pages", &st) && st.st_size == 3 * HUGE && st.st_blocks == (blkcnt_t)HUGE / 512,
	      "size %ld, %ld blocks", (long)st.st_size, (long)st.st_blocks);
	check(!strcmp(map + 2 * HUGE + 100, "in a huge page"), "'%s'", map + 2 * HUGE + 100);
}

int main(int argc, char **argv)
{
	static const char *const single[] = { "fusectl", "pstore",     "binfmt_misc", "debugfs",
					      "tracefs", "securityfs", "devtmpfs" };
	bool has[7], has_bpf, has_null;
	char *map, *huge;
	struct stat st = { 0 };

	test_init(argc, argv);
	need(mount_one("ramfs", "mode=0700"), "ramfs");
	map = map_file("ramfs/mapped", 1ul << 30, 0);
	strcpy(map + (1 << 20), "in the page cache");
	put("ramfs/file", 0604, "text");
	symlink("file", "ramfs/link");
	/* Root of a user namespace may not. */
	has_null = !mknod("ramfs/null", S_IFCHR | 0600, makedev(1, 3));
	need(has_null || errno == EPERM, "mknod (errno %d)", errno);
	huge = make_huge();
	has_bpf = mount_one("bpf", "mode=0711");
	for (int i = 0; i < 7; i++)
		has[i] = mount_one(single[i], NULL);

	switch (checkpoint_here()) {
	case 1:
		strcpy(map + (1 << 20), "something else");
		break;
	case 2:
		unlink("ramfs/file");
		break;
	case 3:
		umount("ramfs/../bpf");
		umount("ramfs/../fusectl");
		break;
	}

	check(is_type("ramfs", "ramfs"), "ramfs");
	check(!strcmp(map + (1 << 20), "in the page cache"), "'%s'", map + (1 << 20));
	check(!stat("ramfs/mapped", &st) && st.st_size == 1l << 30, "size %ld", (long)st.st_size);
	check(!stat("ramfs/link", &st) && st.st_mode == (S_IFREG | 0604) && st.st_size == 4, "file: %o", st.st_mode);
	check(!has_null || (!stat("ramfs/null", &st) && st.st_rdev == makedev(1, 3)), "null: %lx", (long)st.st_rdev);
	check(!stat("ramfs", &st) && (st.st_mode & 07777) == 0700, "root: %o", st.st_mode);
	if (huge)
		check_huge(huge);
	check(!has_bpf || (is_type("bpf", "bpf") && !stat("bpf", &st) && (st.st_mode & 0777) == 0711), "bpf: %o",
	      st.st_mode);
	for (int i = 0; i < 7; i++)
		check(!has[i] || is_type(single[i], single[i]), "%s", single[i]);
	test_done();
}
