// SPDX-License-Identifier: GPL-2.0-only
/*
 * A proc that has never been attached, of a pid namespace that has ended; one of the tree's, whose root can be saved, and a file of it,
 * which cannot. Each is refused by name, and the process keeps running.
 * test: refused="(?s)fd 30: / is the root of [^\n]*a proc, and it cannot be seen of which pid namespace.*fd 32: /uptime is on a mount that is attached nowhere, and is in a proc"
 */
#include "detached.h"
#include <sys/wait.h>

static int create(void)
{
	int fs = (int)syscall(SYS_fsopen, "proc", FSOPEN_CLOEXEC), fd;

	if (fs < 0 || syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0))
		return -1;
	fd = (int)syscall(SYS_fsmount, fs, 0, 0);
	close(fs);
	return fd;
}

static void put(int fd, int number)
{
	if (fd < 0)
		test_skip("no proc can be mounted");
	need(dup2(fd, number) == number && !close(fd), "descriptor %d", number);
}

int main(int argc, char **argv)
{
	long pid;

	test_init(argc, argv);
	pid = syscall(SYS_clone, CLONE_NEWPID | CLONE_FILES | SIGCHLD, 0, 0, 0, 0);
	if (!pid) {
		int fd = create();

		if (fd >= 0 && dup2(fd, 30) == 30)
			close(fd);
		_exit(0);
	}
	need(pid > 0 && waitpid((pid_t)pid, NULL, 0) == pid, "pid namespace (errno %d)", errno);
	if (fcntl(30, F_GETFD) < 0)
		test_skip("no proc of another pid namespace can be mounted");
	detached_need_copies(30);
	put(create(), 31);
	put(openat(31, "uptime", O_RDONLY), 32);
	checkpoint_here();
	test_done();
}
