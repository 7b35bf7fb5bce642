// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mounts that are attached nowhere, held by descriptors of open_tree(2), of single files: a read-only copy of one, and one with other
 * flags. Two descriptors of one description, open files on them with their positions, one of them mapped, and a child that has all of
 * them; flags, what they show, whether they can be written, and that they still can be attached, by the child.
 * test: breaks=3 decode=yes flavours=host,container user-root=container
 */
#include "detached.h"

static int keeper, keeper2, same, file, file2;
static char *mapped;

static int open_again(int fd, int flags)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, flags);
}

static void look(void)
{
	check(mount_flags(keeper) & ST_RDONLY && !(mount_flags(keeper) & ST_NOEXEC), "flags %#lx", mount_flags(keeper));
	check(mount_flags(keeper2) & ST_NOEXEC && !(mount_flags(keeper2) & ST_RDONLY), "flags %#lx",
	      mount_flags(keeper2));
	check(mount_flags(file) & ST_RDONLY && mount_flags(file2) & ST_NOEXEC, "of a file");
	check(mount_of(keeper) == mount_of(file) && mount_of(keeper) == mount_of(same) &&
		      mount_of(keeper) != mount_of(keeper2) && mount_of(keeper2) == mount_of(file2),
	      "mounts");
	detached_file_continues(file);
	check(lseek(file2, 0, SEEK_CUR) == 1 && mapped[0] == '2' && pwrite(file2, "2", 1, 0) == 1, "the other one");
	check(open_again(keeper, O_RDWR) < 0 && errno == EROFS, "writable");
	check(fcntl(keeper, F_GETFL) == O_PATH, "not O_PATH");
}

static int child(void *arg)
{
	const int round = *(int *)arg;

	checkpoint_task("child", round);
	look();
	detached_own_mounts();
	detached_shows(keeper, "point", "hello", "/point ro,");
	detached_shows(keeper2, "point", "2", "/point rw,noexec");
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
	keeper = detached_copy("one", MOUNT_ATTR_RDONLY);
	keeper2 = detached_copy("two", MOUNT_ATTR_NOEXEC);
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
