// SPDX-License-Identifier: GPL-2.0-only
/*
 * Connections with both ends in the tree: data in both directions, half-closed, IPv4, IPv6, mapped, options.
 * test: flavours=host,pid,net,user net=own options=--tcp-established restore-options=--tcp-established breaks=3 decode=yes user-root=host,user
 */
#include "checkpoint.h"
#include "inet.h"
#include <poll.h>
#include <sys/ioctl.h>

struct pair {
	int listener, client, server;
};

static struct pair plain, six, mapped, half, both_fin, full, optioned, corked;

static void make(struct pair *p, int family, const char *host, int server_family, const char *server_host)
{
	p->listener = inet_socket(server_family, SOCK_STREAM, 0);
	inet_bind(p->listener, server_family, server_host, 0);
	need(!listen(p->listener, 4), "listen");
	p->client = inet_socket(family, SOCK_STREAM, 0);
	need(!inet_connect(p->client, family, host, inet_port(p->listener)), "connect: %s", strerror(errno));
	p->server = accept4(p->listener, NULL, NULL, SOCK_CLOEXEC);
	need(p->server >= 0, "accept");
}

static void send_text(int fd, const char *text)
{
	need(send(fd, text, strlen(text), MSG_NOSIGNAL) == (ssize_t)strlen(text), "send %s: %s", text, strerror(errno));
}

static void expect_text(int fd, const char *text, const char *what)
{
	char buf[256] = "";
	ssize_t got = 0, len = 0;
	struct pollfd p = { .fd = fd, .events = POLLIN };

	while (len < (ssize_t)strlen(text) && poll(&p, 1, 10000) == 1 &&
	       (got = read(fd, buf + len, strlen(text) - len)) > 0)
		len += got;
	check(!strcmp(buf, text), "%s: read '%s', not '%s' (%zd)", what, buf, text, got);
}

static void expect_nothing(int fd, const char *what)
{
	char byte;

	check(recv(fd, &byte, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN, "%s: more than was sent", what);
}

static void talk(struct pair *p, const char *what)
{
	send_text(p->client, "ping after");
	expect_text(p->server, "ping after", what);
	send_text(p->server, "pong after");
	expect_text(p->client, "pong after", what);
	expect_nothing(p->client, what);
	expect_nothing(p->server, what);
}

/* Fills the connection until nothing fits, so that there is data in both queues. */
static size_t fill_up(int fd)
{
	static char block[4096];
	size_t n = 0;
	ssize_t got;

	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLOUT };

		fill(block, sizeof(block), 5);
		got = send(fd, block + n % sizeof(block), sizeof(block) - n % sizeof(block), MSG_DONTWAIT);
		if (got > 0)
			n += got;
		else if (!poll(&p, 1, 300))
			return n;
	}
}

static void drain(int fd, size_t n)
{
	static char block[4096], want[4096];
	size_t at = 0;

	fill(want, sizeof(want), 5);
	while (at < n) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		ssize_t got;

		need(poll(&p, 1, 20000) == 1, "no data at %zu of %zu", at, n);
		got = read(fd, block, sizeof(block) - at % sizeof(block));
		need(got > 0, "read at %zu of %zu: %zd", at, n, got);
		need(!memcmp(block, want + at % sizeof(want), got), "wrong bytes at %zu", at);
		at += got;
	}
}

static int waiting(int fd, unsigned long what)
{
	int n = -1;

	ioctl(fd, what, &n);
	return n;
}

int main(int argc, char **argv)
{
	int brk, tw = 5000, c1, c2, unsent, unread;
	struct tcp_info info;
	socklen_t len = sizeof(info);
	size_t filled;

	test_init(argc, argv);
	signal(SIGPIPE, SIG_IGN);
	make(&plain, AF_INET, "127.0.0.1", AF_INET, "127.0.0.1");
	send_text(plain.client, "to the server");
	send_text(plain.server, "to the client");
	make(&six, AF_INET6, "::1", AF_INET6, "::1");
	send_text(six.client, "six");
	make(&mapped, AF_INET, "127.0.0.1", AF_INET6, "::");
	send_text(mapped.client, "mapped");
	make(&half, AF_INET, "127.0.0.1", AF_INET, "127.0.0.1");
	send_text(half.client, "last words");
	need(!shutdown(half.client, SHUT_WR), "shutdown");
	make(&both_fin, AF_INET6, "::1", AF_INET6, "::1");
	need(!shutdown(both_fin.client, SHUT_WR) && !shutdown(both_fin.server, SHUT_WR), "shutdown");
	make(&full, AF_INET, "127.0.0.1", AF_INET, "127.0.0.1");
	inet_set(full.client, SOL_SOCKET, SO_SNDBUF, 60000);
	filled = fill_up(full.client);
	make(&optioned, AF_INET, "127.0.0.1", AF_INET, "127.0.0.1");
	inet_set(optioned.client, IPPROTO_TCP, TCP_NODELAY, 1);
	inet_set(optioned.client, IPPROTO_TCP, TCP_KEEPINTVL, 11);
	inet_set(optioned.client, SOL_SOCKET, SO_KEEPALIVE, 1);
	inet_set(optioned.client, IPPROTO_TCP, TCP_USER_TIMEOUT, tw);
	inet_set(optioned.server, SOL_SOCKET, SO_REUSEADDR, 1);
	inet_set(optioned.server, SOL_SOCKET, SO_RCVLOWAT, 3);
	make(&corked, AF_INET, "127.0.0.1", AF_INET, "127.0.0.1");
	inet_set(corked.client, IPPROTO_TCP, TCP_CORK, 1);
	send_text(corked.client, "in the bottle");
	need(!getsockopt(plain.client, IPPROTO_TCP, TCP_INFO, &info, &len), "TCP_INFO");
	c1 = waiting(full.client, 0x5411 /* TIOCOUTQ */);
	c2 = waiting(full.server, FIONREAD);

	brk = checkpoint_here();
	if (brk == 1)
		expect_text(plain.server, "to", "break");
	if (brk == 2)
		shutdown(six.client, SHUT_WR);
	if (brk == 3)
		inet_set(optioned.client, IPPROTO_TCP, TCP_NODELAY, 0);

	expect_text(plain.server, "to the server", "plain");
	expect_text(plain.client, "to the client", "plain");
	talk(&plain, "plain");
	{
		struct tcp_info now;

		len = sizeof(now);
		need(!getsockopt(plain.client, IPPROTO_TCP, TCP_INFO, &now, &len), "TCP_INFO");
		check(now.tcpi_options == info.tcpi_options && now.tcpi_snd_wscale == info.tcpi_snd_wscale &&
			      now.tcpi_rcv_wscale == info.tcpi_rcv_wscale,
		      "options %#x, were %#x", now.tcpi_options, info.tcpi_options);
	}
	expect_text(six.server, "six", "six");
	talk(&six, "six");
	expect_text(mapped.server, "mapped", "mapped");
	talk(&mapped, "mapped");
	check(inet_state(half.client) == TCP_FIN_WAIT2 && inet_state(half.server) == TCP_CLOSE_WAIT, "half: %d and %d",
	      inet_state(half.client), inet_state(half.server));
	expect_text(half.server, "last words", "half");
	check(read(half.server, &tw, 1) == 0, "half: end of file");
	send_text(half.server, "and an answer");
	expect_text(half.client, "and an answer", "half");
	check(send(half.client, "x", 1, MSG_NOSIGNAL) < 0 && errno == EPIPE, "half: can still send");
	close(half.server);
	check(read(half.client, &tw, 1) == 0, "half: end of file of the other end");
	check(read(both_fin.client, &tw, 1) == 0 && read(both_fin.server, &tw, 1) == 0, "both: end of file");
	/* Unless it has been sent again since, and there was more room. drain() looks at each byte. */
	unsent = waiting(full.client, 0x5411);
	unread = waiting(full.server, FIONREAD);
	check(unsent <= c1 && unread >= c2 && unsent + unread >= c1 + c2,
	      "full: %d bytes unacknowledged, were %d; %d to read, were %d", unsent, c1, unread, c2);
	drain(full.server, filled);
	talk(&full, "full");
	check(inet_get(optioned.client, IPPROTO_TCP, TCP_NODELAY) == 1, "nodelay");
	check(inet_get(optioned.client, IPPROTO_TCP, TCP_KEEPINTVL) == 11, "keepintvl");
	check(inet_get(optioned.client, SOL_SOCKET, SO_KEEPALIVE) == 1, "keepalive");
	check(inet_get(optioned.client, IPPROTO_TCP, TCP_USER_TIMEOUT) == 5000, "user timeout");
	check(inet_get(optioned.server, SOL_SOCKET, SO_REUSEADDR) == 1, "reuse");
	check(inet_get(optioned.client, SOL_SOCKET, SO_REUSEADDR) == 0, "no reuse");
	check(inet_get(optioned.server, SOL_SOCKET, SO_RCVLOWAT) == 3, "rcvlowat");
	talk(&optioned, "options");
	check(inet_get(corked.client, IPPROTO_TCP, TCP_CORK) == 1, "cork");
	inet_set(corked.client, IPPROTO_TCP, TCP_CORK, 0);
	expect_text(corked.server, "in the bottle", "cork");
	talk(&corked, "cork");
	{
		int client = inet_socket(AF_INET, SOCK_STREAM, 0), server;

		check(!inet_connect(client, AF_INET, "127.0.0.1", inet_port(plain.listener)), "connect again");
		server = accept(plain.listener, NULL, NULL);
		check(server >= 0, "accept again");
	}
	test_done();
}
