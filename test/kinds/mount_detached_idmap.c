// SPDX-License-Identifier: GPL-2.0-only
/*
 * Idmapped mounts that are attached nowhere, held by descriptors of open_tree(2): of a directory, by maps of several lines, and of a file.
 * An open file on one, and a child that has all; owners as they are seen there, those of new files, and that both can still be attached.
 * test: breaks=2 decode=yes flavours=host,container
 */
#include "detached.h"
#include "idmap.h"
#include <sys/fsuid.h>

#define MAP "0 100000 1000\n5000 300000 10\n"
#define OTHER_MAP "0 200000 65536\n"

static int keeper, keeper2, file;

static int copy_of(const char *path, const char *map)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_IDMAP,
				   .propagation = MS_PRIVATE,
				   .userns_fd = (uint64_t)idmap_user_ns(map) };
	int fd = (int)syscall(SYS_open_tree, AT_FDCWD, path, OPEN_TREE_CLONE);

	need(fd >= 0, "open_tree (errno %d)", errno);
	if (syscall(SYS_mount_setattr, fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)))
		test_skip("this file system cannot be idmapped");
	detached_need_copies(fd);
	need(!close((int)attr.userns_fd), "close");
	return fd;
}

static void check_owner(int at, const char *path, uid_t uid, gid_t gid)
{
	struct stat st = { 0 };

	check(!fstatat(at, path, &st, AT_EMPTY_PATH) && st.st_uid == uid && st.st_gid == gid, "%s: %u:%u, not %u:%u",
	      path, st.st_uid, st.st_gid, uid, gid);
}

static void look(void)
{
	check_owner(keeper, "file", 100007, 300003);
	check_owner(file, "", 100007, 300003);
	check_owner(keeper, "unmapped", 65534, 65534);
	check_owner(keeper2, "", 200007, 205003);
	check_owner(AT_FDCWD, test_path("one/file"), 7, 5003);
}

static void create_file(void)
{
	int fd;

	setfsgid(300002);
	setfsuid(100020);
	fd = openat(keeper, "new", O_CREAT | O_RDWR, 0600);
	setfsuid(0);
	setfsgid(0);
	check(fd >= 0, "new file (errno %d)", errno);
	check_owner(AT_FDCWD, test_path("one/new"), 20, 5002);
	close(fd);
	unlinkat(keeper, "new", 0);
}

static int child(void *arg)
{
	const int round = *(int *)arg;

	checkpoint_task("child", round);
	look();
	detached_own_mounts();
	detached_attach(keeper, "point");
	detached_attach(keeper2, "file");
	check_owner(AT_FDCWD, test_path("point/file"), 100007, 300003);
	check_owner(AT_FDCWD, test_path("file"), 200007, 205003);
	return 0;
}

int main(int argc, char **argv)
{
	int round = 0;
	pid_t pid;

	test_init(argc, argv);
	need(!mkdir("one", 0777) && !chmod("one", 0777) && !mkdir("point", 0755), "mkdir");
	write_file("file", "");
	write_file("one/file", "hello");
	write_file("one/unmapped", "");
	need(!chown("one/file", 7, 5003) && !chown("one/unmapped", 1001, 1002), "chown");
	keeper = copy_of("one", MAP);
	keeper2 = copy_of("one/file", OTHER_MAP);
	file = openat(keeper, "file", O_RDONLY);
	need(file >= 0, "file");
	pid = fork_task(child, &round);
	await_task("child");
	switch (checkpoint_here()) {
	case 1:
		dup2(open("one", O_PATH), keeper);
		break;
	case 2:
		dup2(open("one/file", O_RDONLY), file);
		break;
	}
	look();
	create_file();
	join_task(pid);
	test_done();
}
