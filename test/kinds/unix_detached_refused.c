// SPDX-License-Identifier: GPL-2.0-only
/*
 * Listening sockets whose files are on a mount that is attached nowhere, by a relative name and by one in /proc, and one whose file is
 * hidden by another mount: their paths lead to nothing, or to another file. Refused by name, and they keep listening.
 * test: refused="(?s)fd 30: socket:\S+ a unix socket whose file is not found .*fd 31: socket:\S+ a unix .*fd 32: socket:\S+ a unix "
 */
#include "checkpoint.h"
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>

static struct sockaddr_un address(const char *name)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	strcpy(a.sun_path, name);
	return a;
}

static void listen_at(const char *name, int number)
{
	struct sockaddr_un a = address(name);
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	need(fd >= 0 && !bind(fd, (struct sockaddr *)&a, sizeof(a)) && !listen(fd, 1), "listen at %s (errno %d)", name,
	     errno);
	need(dup2(fd, number) == number && !close(fd), "descriptor %d", number);
}

static void connects(const char *name)
{
	struct sockaddr_un a = address(name);
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	check(fd >= 0 && !connect(fd, (struct sockaddr *)&a, sizeof(a)), "connect to %s (errno %d)", name, errno);
	close(fd);
}

int main(int argc, char **argv)
{
	char name[64];
	int copy;

	test_init(argc, argv);
	need(!unshare(CLONE_NEWNS) && !mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "namespace");
	need(!mkdir("dir", 0755) && !mkdir("over", 0755), "mkdir");
	copy = (int)syscall(SYS_open_tree, AT_FDCWD, "dir", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (copy < 0)
		test_skip("no detached copy of a directory can be made");
	listen_at("over/hidden", 32);
	need(!mount("x", "over", "tmpfs", 0, NULL), "mount");
	snprintf(name, sizeof(name), "/proc/self/fd/%d/absolute", copy);
	listen_at(name, 31);
	need(!fchdir(copy), "chdir");
	listen_at("relative", 30);
	need(!chdir(test_path(".")), "chdir");
	checkpoint_here();
	connects("dir/relative");
	connects("dir/absolute");
	need(!umount2("over", MNT_DETACH), "umount");
	connects("over/hidden");
	test_done();
}
