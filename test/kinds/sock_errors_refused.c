// SPDX-License-Identifier: GPL-2.0-only
/*
 * A pending error in front of datagrams: peeking at them would clear it.
 * test: net=own refused='(?s)(?=.*fd 301: [^\n]*pending error)(?=.*fd 302: [^\n]*pending error)'
 */
#include "checkpoint.h"
#include "inet.h"
#include <poll.h>
#include <sys/un.h>

static void move(int fd, int number)
{
	need(dup2(fd, number) == number && !close(fd), "dup2");
}

static void set_up_inet(void)
{
	int fd = inet_socket(AF_INET, SOCK_DGRAM, 0), peer = inet_socket(AF_INET, SOCK_DGRAM, 0);
	struct pollfd p = { .fd = fd };
	union inet_name to;
	socklen_t len;

	inet_bind(fd, AF_INET, "127.0.0.1", 0);
	inet_bind(peer, AF_INET, "127.0.0.1", 0);
	need(!inet_connect(fd, AF_INET, "127.0.0.1", inet_port(peer)), "connect");
	len = inet_name(&to, AF_INET, "127.0.0.1", inet_port(fd));
	need(sendto(peer, "waits", 5, 0, &to.any, len) == 5, "send");
	close(peer);
	need(send(fd, "x", 1, 0) == 1 && poll(&p, 1, 3000) == 1 && (p.revents & POLLERR), "no error");
	move(fd, 301);
}

static void set_up_unix(void)
{
	struct sockaddr none = { .sa_family = AF_UNSPEC };
	int pair[2];

	need(!socketpair(AF_UNIX, SOCK_DGRAM, 0, pair), "pair");
	need(send(pair[1], "waits", 5, 0) == 5 && send(pair[0], "lost", 4, 0) == 4, "send");
	need(!connect(pair[1], &none, sizeof(none)), "disconnect");
	close(pair[1]);
	move(pair[0], 302);
}

static void expect_error(int fd, int error)
{
	char got[8];
	ssize_t n = recv(fd, got, sizeof(got), MSG_DONTWAIT);

	check(n < 0 && errno == error, "fd %d: %zd: %m", fd, n);
	n = recv(fd, got, sizeof(got), MSG_DONTWAIT);
	check(n == 5 && !memcmp(got, "waits", 5), "fd %d: then %zd: %m", fd, n);
}

int main(int argc, char **argv)
{
	test_init(argc, argv);
	set_up_inet();
	set_up_unix();
	if (checkpoint_here())
		close(301);
	expect_error(301, ECONNREFUSED);
	expect_error(302, ECONNRESET);
	test_done();
}
