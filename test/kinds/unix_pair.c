// SPDX-License-Identifier: GPL-2.0-only
/*
 * A unix stream pair in the tree, with unread data at both ends, and another one with one end in a child.
 * test: flavours=host,pid,net breaks=1 decode=yes user-root=host,user
 */
#include "checkpoint.h"
#include <sys/socket.h>

static int pair[2], split[2];

static int child(void *arg)
{
	char buf[32] = "";

	close(split[0]);
	checkpoint_task("child", 0);
	check(read(split[1], buf, 32) == 8 && !strcmp(buf, "to child"), "child reads %s", buf);
	check(write(split[1], "answer", 6) == 6, "write");
	return 0;
}

int main(int argc, char **argv)
{
	char buf[64] = "";
	pid_t pid;

	test_init(argc, argv);
	need(!socketpair(AF_UNIX, SOCK_STREAM, 0, pair) && !socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, split),
	     "socketpair");
	need(write(pair[0], "there", 5) == 5 && write(pair[1], "and back", 8) == 8 &&
		     write(split[0], "to child", 8) == 8,
	     "write");
	pid = fork_task(child, NULL);
	close(split[1]);
	await_task("child");
	if (checkpoint_here())
		need(write(pair[0], "x", 1) == 1, "break");
	check(read(pair[1], buf, 64) == 5 && !memcmp(buf, "there", 5), "there: %s", buf);
	check(read(pair[0], buf, 64) == 8 && !memcmp(buf, "and back", 8), "back: %s", buf);
	check(fcntl(split[0], F_GETFD) == FD_CLOEXEC, "close on exec");
	check(read(split[0], buf, 64) == 6 && !memcmp(buf, "answer", 6), "answer: %s", buf);
	join_task(pid);
	check(!read(split[0], buf, 64), "no end of file");
	test_done();
}
