// SPDX-License-Identifier: GPL-2.0-only
/*
 * A descriptor sent through a connection that is not accepted yet is refused by name.
 * test: refused=descriptors.*not.accepted.yet
 */
#include "checkpoint.h"
#include <sys/socket.h>
#include <sys/un.h>

int main(int argc, char **argv)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX, .sun_path = "server" };
	int server = socket(AF_UNIX, SOCK_STREAM, 0), client = socket(AF_UNIX, SOCK_STREAM, 0), got = -1, ends[2];
	char control[CMSG_SPACE(sizeof(int))] = "", byte = 'x';
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	test_init(argc, argv);
	need(!bind(server, (struct sockaddr *)&a, sizeof(a)) && !listen(server, 3), "server");
	need(!connect(client, (struct sockaddr *)&a, sizeof(a)) && !pipe(ends), "client");
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &ends[1], sizeof(int));
	need(sendmsg(client, &msg, 0) == 1, "send");

	if (checkpoint_here())
		close(ends[0]);

	msg.msg_controllen = sizeof(control);
	check(recvmsg(accept(server, NULL, NULL), &msg, 0) == 1, "receive");
	c = CMSG_FIRSTHDR(&msg);
	if (c)
		memcpy(&got, CMSG_DATA(c), sizeof(int));
	signal(SIGPIPE, SIG_IGN);
	check(write(got, "y", 1) == 1 && read(ends[0], &byte, 1) == 1 && byte == 'y', "the descriptor");
	test_done();
}
