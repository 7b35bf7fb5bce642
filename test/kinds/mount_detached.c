// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mounts that are attached nowhere, held by descriptors of open_tree(2): a read-only copy of a directory and one with other flags. Two
 * descriptors of one description, an open file on it with its position, a directory, a working directory and a child that has files of
 * both; flags, what they show, that they are attached nowhere, and that each still can be attached, by the child.
 * test: breaks=3 decode=yes flavours=host,container
 */
#include "checkpoint.h"
#include <limits.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>

#ifndef MOUNT_ATTR__ATIME
#define MOUNT_ATTR__ATIME 0x00000070
#endif

static int keeper, keeper2, same, other, file, dir;

static int copy_of(const char *path, uint64_t set)
{
	struct mount_attr attr = { .attr_set = set, .attr_clr = MOUNT_ATTR__ATIME, .propagation = MS_PRIVATE };
	int fd = (int)syscall(SYS_open_tree, AT_FDCWD, path, OPEN_TREE_CLONE), again;

	if (fd < 0)
		test_skip("open_tree(2) makes no copy of a directory");
	need(!syscall(SYS_mount_setattr, fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)), "mount_setattr (errno %d)",
	     errno);
	again = (int)syscall(SYS_open_tree, fd, "", OPEN_TREE_CLONE | AT_EMPTY_PATH);
	if (again < 0)
		test_skip("this kernel copies no mount that is attached nowhere: such mounts are refused");
	close(again);
	return fd;
}

static unsigned long flags_of(int fd)
{
	struct statvfs st;

	return fstatvfs(fd, &st) ? 0 : st.f_flag;
}

static unsigned long long mount_of(int fd)
{
	struct statx sx;

	return statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &sx) ? 0 : sx.stx_mnt_id;
}

static bool reads(int at, const char *name, const char *text)
{
	char buf[16] = "";
	int fd = openat(at, name, O_RDONLY);
	long n = read(fd, buf, sizeof(buf) - 1);

	close(fd);
	return n == (long)strlen(text) && !strcmp(buf, text);
}

static void look(void)
{
	char buf[16] = "";

	check(flags_of(keeper) & ST_RDONLY && !(flags_of(keeper) & ST_NOEXEC), "flags %#lx", flags_of(keeper));
	check(flags_of(keeper2) & ST_NOEXEC && flags_of(keeper2) & ST_NOATIME && !(flags_of(keeper2) & ST_RDONLY),
	      "flags %#lx", flags_of(keeper2));
	check(flags_of(file) & ST_RDONLY && flags_of(dir) & ST_RDONLY, "of a file");
	check(mount_of(keeper) == mount_of(dir) && mount_of(keeper) == mount_of(file) &&
		      mount_of(keeper) == mount_of(same) && mount_of(keeper) != mount_of(keeper2) &&
		      mount_of(other) == mount_of(keeper2),
	      "mounts");
	check(lseek(file, 0, SEEK_CUR) == 2 && pread(file, buf, 15, 2) == 3 && !strcmp(buf, "llo"),
	      "position, content");
	check(reads(keeper, "below/file", "hello") && reads(dir, "file", "hello") && reads(keeper2, "two", "2"),
	      "content");
	check(openat(dir, "new", O_CREAT | O_WRONLY, 0600) < 0 && errno == EROFS, "writable");
	check(mount_of(AT_FDCWD) == mount_of(keeper) && reads(AT_FDCWD, "file", "hello"), "the working directory");
	check(fcntl(keeper, F_GETFL) == O_PATH, "not O_PATH");
}

/* In a mount namespace of its own, so that nothing of the test's changes. A mount that nothing keeps cannot be attached. */
static void attach(int fd, const char *name, const char *text)
{
	need(!syscall(SYS_move_mount, fd, "", AT_FDCWD, test_path("point"), MOVE_MOUNT_F_EMPTY_PATH),
	     "attach it (errno %d)", errno);
	check(reads(AT_FDCWD, test_path(name), text), "attached");
	need(!umount2(test_path("point"), MNT_DETACH), "umount");
}

static int child(void *arg)
{
	const int round = *(int *)arg;

	checkpoint_task("child", round);
	look();
	need(!unshare(CLONE_NEWNS) && !mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "namespace");
	attach(keeper, "point/below/file", "hello");
	attach(keeper2, "point/two", "2");
	return 0;
}

int main(int argc, char **argv)
{
	int round = 0;
	pid_t pid;

	test_init(argc, argv);
	need(!mkdir("one", 0755) && !mkdir("one/below", 0755) && !mkdir("two", 0755) && !mkdir("point", 0755), "mkdir");
	write_file("one/below/file", "hello");
	write_file("two/two", "2");
	keeper = copy_of("one", MOUNT_ATTR_RDONLY);
	keeper2 = copy_of("two", MOUNT_ATTR_NOEXEC | MOUNT_ATTR_NOATIME);
	same = dup(keeper);
	other = openat(keeper2, "two", O_PATH);
	dir = openat(keeper, "below", O_RDONLY | O_DIRECTORY);
	file = openat(dir, "file", O_RDONLY);
	need(file >= 0 && lseek(file, 2, SEEK_SET) == 2 && !fchdir(dir), "files");
	pid = fork_task(child, &round);
	await_task("child");
	switch (checkpoint_here()) {
	case 1:
		dup2(keeper2, keeper);
		break;
	case 2:
		lseek(file, 0, SEEK_SET);
		break;
	case 3:
		need(!chdir("/"), "chdir");
		break;
	}
	look();
	join_task(pid);
	test_done();
}
