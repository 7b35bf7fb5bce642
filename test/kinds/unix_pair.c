// SPDX-License-Identifier: GPL-2.0-only
/*
 * A unix stream pair inside the tree, bytes waiting both ways, one end in a child.
 * test: breaks=1 decode=yes
 */
#include "checkpoint.h"
#include <sys/socket.h>

static int kept[2], given[2];

static int child(void *arg)
{
	char buf[32] = "";

	close(given[0]);
	checkpoint_task("child", 0);
	check(read(given[1], buf, 32) == 8 && !strcmp(buf, "to child"), "child reads %s", buf);
	check(write(given[1], "answer", 6) == 6, "write");
	return 0;
}

int main(int argc, char **argv)
{
	char buf[64] = "";
	pid_t pid;

	test_init(argc, argv);
	need(!socketpair(AF_UNIX, SOCK_STREAM, 0, kept) && !socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, given),
	     "socketpair");
	need(write(kept[0], "there", 5) == 5 && write(kept[1], "and back", 8) == 8 &&
		     write(given[0], "to child", 8) == 8,
	     "write");
	pid = fork_task(child, NULL);
	close(given[1]);
	await_task("child");
	if (checkpoint_here())
		need(write(kept[0], "x", 1) == 1, "break");
	check(read(kept[1], buf, 64) == 5 && !memcmp(buf, "there", 5), "there: %s", buf);
	check(read(kept[0], buf, 64) == 8 && !memcmp(buf, "and back", 8), "back: %s", buf);
	check(fcntl(given[0], F_GETFD) == FD_CLOEXEC, "close on exec");
	check(read(given[0], buf, 64) == 6 && !memcmp(buf, "answer", 6), "answer: %s", buf);
	join_task(pid);
	check(!read(given[0], buf, 64), "no end of file");
	test_done();
}
