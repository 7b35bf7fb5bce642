// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sockets in flight in cycles: one in its own queue, two in each other's, one with a name that is in its own queue, and
 * sockets that are only in the queues of others, eight deep.
 * test: flavours=host,net breaks=1
 */
#include "checkpoint.h"
#include <stddef.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>

#define DEPTH 8

static void send_fd(int sock, int fd, char text)
{
	char c[CMSG_SPACE(sizeof(int))] = "";
	struct iovec iov = { &text, 1 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = c, .msg_controllen = sizeof(c) };
	struct cmsghdr *h = CMSG_FIRSTHDR(&m);

	h->cmsg_level = SOL_SOCKET;
	h->cmsg_type = SCM_RIGHTS;
	h->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(h), &fd, sizeof(fd));
	need(sendmsg(sock, &m, 0) == 1, "sendmsg: %m");
}

static int receive_fd(int sock, char text)
{
	char c[CMSG_SPACE(sizeof(int))] = "", got = 0;
	struct iovec iov = { &got, 1 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = c, .msg_controllen = sizeof(c) };
	struct cmsghdr *h;
	int fd;

	check(recvmsg(sock, &m, MSG_DONTWAIT) == 1 && got == text, "a message '%c', not '%c': %m", got, text);
	h = CMSG_FIRSTHDR(&m);
	check(h && h->cmsg_type == SCM_RIGHTS, "no descriptor in it");
	memcpy(&fd, CMSG_DATA(h), sizeof(fd));
	return fd;
}

/* Both are ends of the same connection: what is written to @to is read from @from. */
static void check_connected(int from, int to)
{
	char byte = 0;

	check(send(to, "!", 1, 0) == 1 && recv(from, &byte, 1, MSG_DONTWAIT) == 1 && byte == '!', "not connected: %m");
}

static void pair(int ends[2])
{
	need(!socketpair(AF_UNIX, SOCK_STREAM, 0, ends), "socketpair: %m");
}

static int own[2], one[2], two[2], named, deep[2];

static void build(void)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	unsigned long long random;
	socklen_t len = offsetof(struct sockaddr_un, sun_path) + 1;
	int at[2], next[2];

	/* Other variants run in parallel, in the same network namespace. */
	need(getrandom(&random, sizeof(random), 0) == sizeof(random), "getrandom: %m");
	len += snprintf(name.sun_path + 1, sizeof(name.sun_path) - 1, "ring-%llx", random);

	pair(own);
	send_fd(own[0], own[1], 'o');
	pair(one);
	pair(two);
	send_fd(one[0], two[1], '1');
	send_fd(two[0], one[1], '2');
	pair(deep);
	memcpy(at, deep, sizeof(at));
	for (int i = 0; i < DEPTH; i++) {
		pair(next);
		send_fd(at[0], next[0], 'a' + i);
		send_fd(at[0], next[1], 'A' + i);
		if (i) {
			close(at[0]);
			close(at[1]);
		}
		memcpy(at, next, sizeof(at));
	}
	close(at[0]);
	close(at[1]);
	/* Last, so that nothing is closed after it when the program ends. */
	named = socket(AF_UNIX, SOCK_DGRAM, 0);
	need(named >= 0 && !bind(named, (struct sockaddr *)&name, len) &&
		     !connect(named, (struct sockaddr *)&name, len),
	     "a name: %m");
	send_fd(named, named, 'n');
}

static void verify(void)
{
	int fd = receive_fd(own[1], 'o'), other, at[2], next[2];

	check_connected(fd, own[0]);
	fd = receive_fd(one[1], '1');
	other = receive_fd(fd, '2');
	check_connected(fd, two[0]);
	check_connected(other, one[0]);
	fd = receive_fd(named, 'n');
	check_connected(fd, named);
	memcpy(at, deep, sizeof(at));
	for (int i = 0; i < DEPTH; i++) {
		next[0] = receive_fd(at[1], 'a' + i);
		next[1] = receive_fd(at[1], 'A' + i);
		memcpy(at, next, sizeof(at));
	}
	check_connected(at[1], at[0]);
}

int main(int argc, char **argv)
{
	test_init(argc, argv);
	build();
	if (checkpoint_here())
		receive_fd(named, 'n');
	verify();
	test_done();
}
