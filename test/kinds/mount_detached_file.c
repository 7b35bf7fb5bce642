// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mounts that are attached nowhere, held by descriptors of open_tree(2), of single files: a read-only copy of one, and one with other
 * flags. Two descriptors of one description, open files on them with their positions, one of them mapped, and a child that has all of
 * them; flags, what they show, whether they can be written, and that they still can be attached, by the child.
 * test: breaks=3 decode=yes flavours=host,container user-root=container
 */
#include "checkpoint.h"
#include <limits.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>

static int keeper, keeper2, same, file, file2;
static char *mapped;

static int copy_of(const char *path, uint64_t set)
{
	struct mount_attr attr = { .attr_set = set, .propagation = MS_PRIVATE };
	int fd = (int)syscall(SYS_open_tree, AT_FDCWD, path, OPEN_TREE_CLONE), again;

	if (fd < 0)
		test_skip("open_tree(2) makes no copy of a file");
	need(!syscall(SYS_mount_setattr, fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)), "mount_setattr (errno %d)",
	     errno);
	again = (int)syscall(SYS_open_tree, fd, "", OPEN_TREE_CLONE | AT_EMPTY_PATH);
	if (again < 0)
		test_skip("this kernel copies no mount that is attached nowhere: such mounts are refused");
	close(again);
	return fd;
}

static int open_again(int fd, int flags)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, flags);
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

static bool reads(const char *path, const char *text)
{
	char buf[16] = "";

	return read_file(path, buf, sizeof(buf)) == (long)strlen(text) && !strcmp(buf, text);
}

static void look(void)
{
	char buf[16] = "";

	check(flags_of(keeper) & ST_RDONLY && !(flags_of(keeper) & ST_NOEXEC), "flags %#lx", flags_of(keeper));
	check(flags_of(keeper2) & ST_NOEXEC && !(flags_of(keeper2) & ST_RDONLY), "flags %#lx", flags_of(keeper2));
	check(flags_of(file) & ST_RDONLY && flags_of(file2) & ST_NOEXEC, "of a file");
	check(mount_of(keeper) == mount_of(file) && mount_of(keeper) == mount_of(same) &&
		      mount_of(keeper) != mount_of(keeper2) && mount_of(keeper2) == mount_of(file2),
	      "mounts");
	check(lseek(file, 0, SEEK_CUR) == 2 && pread(file, buf, 15, 2) == 3 && !strcmp(buf, "llo"),
	      "position, content");
	check(lseek(file2, 0, SEEK_CUR) == 1 && mapped[0] == '2' && pwrite(file2, "2", 1, 0) == 1, "the other one");
	check(open_again(keeper, O_RDWR) < 0 && errno == EROFS, "writable");
	check(fcntl(keeper, F_GETFL) == O_PATH, "not O_PATH");
}

/* In a mount namespace of its own, so that nothing of the test's changes. A mount that nothing keeps cannot be attached. */
static void attach(int fd, const char *text)
{
	need(!syscall(SYS_move_mount, fd, "", AT_FDCWD, test_path("point"), MOVE_MOUNT_F_EMPTY_PATH),
	     "attach it (errno %d)", errno);
	check(reads(test_path("point"), text), "attached");
	need(!umount2(test_path("point"), MNT_DETACH), "umount");
}

static int child(void *arg)
{
	const int round = *(int *)arg;

	checkpoint_task("child", round);
	look();
	need(!unshare(CLONE_NEWNS) && !mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "namespace");
	attach(keeper, "hello");
	attach(keeper2, "2");
	return 0;
}

int main(int argc, char **argv)
{
	int round = 0;
	pid_t pid;

	test_init(argc, argv);
	write_file("one", "hello");
	write_file("two", "2");
	write_file("point", "");
	keeper = copy_of("one", MOUNT_ATTR_RDONLY);
	keeper2 = copy_of("two", MOUNT_ATTR_NOEXEC);
	same = dup(keeper);
	file = open_again(keeper, O_RDONLY);
	file2 = open_again(keeper2, O_RDWR);
	need(file >= 0 && lseek(file, 2, SEEK_SET) == 2 && lseek(file2, 1, SEEK_SET) == 1, "files");
	mapped = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file2, 0);
	need(mapped != MAP_FAILED, "mmap");
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
		need(dup2(open("two", O_RDWR), file2) == file2 && lseek(file2, 1, SEEK_SET) == 1, "dup2");
		break;
	}
	look();
	join_task(pid);
	test_done();
}
