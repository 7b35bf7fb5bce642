// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mounts that are attached nowhere, held by descriptors, that cannot be saved: a new file system whose state is not only files (devpts),
 * two mounts of one that is saved, a copy with one mounted in it that is attached nowhere else, a shared one with another one in it, one
 * with two descriptors of its root that look alike, and one that only a file is open on, as its descriptor is in flight. Each is refused
 * by name, and the process keeps running.
 * test: refused="(?s)fd 30: / is the root of [^\n]*type devpts.*fd 31: / is the root of [^\n]*mount is mounted in it, of.*fd 33: / is the root .*fd 36: / is the root [^\n]*, of the same file system as that of descriptor 35 .*fd 37: / is the root of [^\n]*below is mounted in it, on a shared.*fd 34: /"
 */
#include "checkpoint.h"
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/syscall.h>

static int copy_of(const char *path)
{
	int fd = (int)syscall(SYS_open_tree, AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);

	if (fd < 0)
		test_skip("no detached copy of a directory can be made");
	return fd;
}

static void put(int fd, int number)
{
	need(fd >= 0 && dup2(fd, number) == number && !close(fd), "descriptor %d", number);
}

/* The only descriptor of a mount. */
static void send_away(int fd)
{
	struct iovec iov = { .iov_base = "x", .iov_len = 1 };
	char space[CMSG_SPACE(sizeof(int))] = { 0 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof(space) };
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
	int pair[2];

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(fd));
	need(!socketpair(AF_UNIX, SOCK_STREAM, 0, pair) && sendmsg(pair[0], &msg, 0) == 1 && !close(fd), "send");
}

static int create(const char *type)
{
	int fs = (int)syscall(SYS_fsopen, type, FSOPEN_CLOEXEC), fd;

	need(fs >= 0 && !syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0), "%s", type);
	fd = (int)syscall(SYS_fsmount, fs, 0, 0);
	close(fs);
	return fd;
}

int main(int argc, char **argv)
{
	struct stat st;
	int copy;

	test_init(argc, argv);
	need(!unshare(CLONE_NEWNS) && !mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "namespace");
	need(!mkdir("sub", 0755) && !mkdir("sub/mount", 0755) && !mkdir("two", 0755) && !mkdir("three", 0755) &&
		     !mkdir("three/below", 0755),
	     "mkdir");
	write_file("two/file", "x");
	put(create("devpts"), 30);
	put(create("tmpfs"), 35);
	put((int)syscall(SYS_open_tree, 35, "", OPEN_TREE_CLONE | AT_EMPTY_PATH), 36);
	need(!mount("x", "sub/mount", "tmpfs", 0, NULL), "mount");
	put(copy_of("sub"), 31);
	need(!mount("three", "three", NULL, MS_BIND, NULL) && !mount(NULL, "three", NULL, MS_SHARED, NULL) &&
		     !mount("two", "three/below", NULL, MS_BIND, NULL),
	     "mounts");
	put(copy_of("three"), 37);
	put(copy_of("two"), 32);
	put(openat(32, ".", O_PATH), 33);
	copy = copy_of("two");
	put(openat(copy, "file", O_RDONLY), 34);
	send_away(copy);
	need(!umount2("sub/mount", MNT_DETACH), "umount");
	checkpoint_here();
	for (int fd = 30; fd <= 37; fd++)
		check(!fstat(fd, &st), "fd %d", fd);
	test_done();
}
