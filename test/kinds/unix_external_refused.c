// SPDX-License-Identifier: GPL-2.0-only
/*
 * A pair whose other end is outside the tree is refused, with what would help.
 * test: refused=outside.the.tree.*inherit-fd breaks=0
 */
#include "checkpoint.h"
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

/* The first child keeps the other end, and is reparented away from the tree. */
int main(int argc, char **argv)
{
	int fds[2];
	char c = 0;
	pid_t pid;

	test_init(argc, argv);
	need(!socketpair(AF_UNIX, SOCK_STREAM, 0, fds), "socketpair");
	pid = fork();
	if (!pid) {
		if (!fork()) {
			close(fds[0]);
			while (read(fds[1], &c, 1) == 1)
				if (write(fds[1], &c, 1) != 1)
					break;
			_exit(0);
		}
		_exit(0);
	}
	close(fds[1]);
	need(waitpid(pid, NULL, 0) == pid, "wait");
	checkpoint_here();
	check(write(fds[0], "x", 1) == 1 && read(fds[0], &c, 1) == 1 && c == 'x', "echo");
	test_done();
}
