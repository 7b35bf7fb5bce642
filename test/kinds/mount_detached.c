// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mounts that are attached nowhere, held by descriptors of open_tree(2): a read-only copy of a directory and one with other flags. Two
 * descriptors of one description, an open file on it with its position, a directory, a working directory and a child that has files of
 * both; flags, what they show, that they are attached nowhere, and that each still can be attached, by the child.
 * test: breaks=3 decode=yes flavours=host,container
 */
#include "detached.h"

static int keeper, keeper2, same, other, file, dir;

static void look(void)
{
	check(mount_flags(keeper) & ST_RDONLY && !(mount_flags(keeper) & ST_NOEXEC), "flags %#lx", mount_flags(keeper));
	check(mount_flags(keeper2) & ST_NOEXEC && mount_flags(keeper2) & ST_NOATIME &&
		      !(mount_flags(keeper2) & ST_RDONLY),
	      "flags %#lx", mount_flags(keeper2));
	check(mount_flags(file) & ST_RDONLY && mount_flags(dir) & ST_RDONLY, "of a file");
	check(mount_of(keeper) == mount_of(dir) && mount_of(keeper) == mount_of(file) &&
		      mount_of(keeper) == mount_of(same) && mount_of(keeper) != mount_of(keeper2) &&
		      mount_of(other) == mount_of(keeper2),
	      "mounts");
	detached_file_continues(file);
	check(has_text_at(keeper, "below/file", "hello") && has_text_at(dir, "file", "hello") &&
		      has_text_at(keeper2, "two", "2"),
	      "content");
	check(openat(dir, "new", O_CREAT | O_WRONLY, 0600) < 0 && errno == EROFS, "writable");
	check(mount_of(AT_FDCWD) == mount_of(keeper) && has_text("file", "hello"), "the working directory");
	check(fcntl(keeper, F_GETFL) == O_PATH, "not O_PATH");
}

static int child(void *arg)
{
	const int round = *(int *)arg;

	checkpoint_task("child", round);
	look();
	detached_own_mounts();
	detached_shows(keeper, "point/below/file", "hello", "/point ro,");
	detached_shows(keeper2, "point/two", "2", "/point rw,noexec");
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
	keeper = detached_copy("one", MOUNT_ATTR_RDONLY);
	keeper2 = detached_copy("two", MOUNT_ATTR_NOEXEC | MOUNT_ATTR_NOATIME);
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
