// SPDX-License-Identifier: GPL-2.0-only
/*
 * Connections that are not accepted yet, with both ends in the tree: in their order, with the data sent through them.
 * test: flavours=host,net net=own options=--tcp-established restore-options=--tcp-established breaks=2 decode=yes
 */
#include "checkpoint.h"
#include "inet.h"
#include <poll.h>

#define CLIENTS 5
#define LARGE 60000

static char block[LARGE];
static int client[CLIENTS], six[2], ports[CLIENTS];

static int join(int family, const char *host, int port)
{
	int fd = inet_socket(family, SOCK_STREAM, 0);

	need(!inet_connect(fd, family, host, port), "connect: %s", strerror(errno));
	return fd;
}

static void put(int fd, size_t len)
{
	need(send(fd, block, len, MSG_NOSIGNAL) == (ssize_t)len, "send %zu: %s", len, strerror(errno));
}

static void expect_data(int fd, size_t len, bool ends, const char *what)
{
	static char got[LARGE + 1];
	struct pollfd p = { .fd = fd, .events = POLLIN };
	size_t at = 0;
	ssize_t n = -1;

	while (at < len && poll(&p, 1, 10000) == 1 && (n = recv(fd, got + at, len - at, 0)) > 0)
		at += n;
	check(at == len && !memcmp(got, block, len), "%s: %zu bytes, not %zu", what, at, len);
	if (ends)
		check(poll(&p, 1, 10000) == 1 && recv(fd, got, 1, 0) == 0, "%s: no end of file", what);
	else
		check(recv(fd, got, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN, "%s: more than was sent", what);
}

/* The next in the queue, which is the connection of @from. */
static int accept_next(int listener, int from, const char *what)
{
	union inet_name name;
	socklen_t len = sizeof(name);
	struct pollfd p = { .fd = listener, .events = POLLIN };
	int fd = poll(&p, 1, 10000) == 1 ? accept(listener, &name.any, &len) : -1;

	need(fd >= 0, "%s: the queue is empty", what);
	check(ntohs(name.any.sa_family == AF_INET ? name.v4.sin_port : name.v6.sin6_port) == inet_port(from),
	      "%s: a different connection", what);
	check(write(fd, "answer", 6) == 6, "%s: answer", what);
	return fd;
}

static void expect_answer(int fd, const char *what)
{
	char text[8] = "";
	struct pollfd p = { .fd = fd, .events = POLLIN };

	check(poll(&p, 1, 10000) == 1 && read(fd, text, 6) == 6 && !strcmp(text, "answer"), "%s: heard %s", what, text);
}

int main(int argc, char **argv)
{
	static const size_t lens[CLIENTS] = { 0, 5, LARGE, 7, 0 };
	int four, both, brk, fd;

	test_init(argc, argv);
	fill(block, sizeof(block), 11);
	four = inet_socket(AF_INET, SOCK_STREAM, 0);
	inet_set(four, SOL_SOCKET, SO_RCVBUF, 4 * LARGE);
	inet_set(four, SOL_SOCKET, SO_REUSEADDR, 1);
	inet_bind(four, AF_INET, "127.0.0.1", 4200);
	need(!listen(four, 10), "listen");
	for (int i = 0; i < CLIENTS; i++) {
		client[i] = join(AF_INET, "127.0.0.1", 4200);
		ports[i] = inet_port(client[i]);
		put(client[i], lens[i]);
	}
	need(!shutdown(client[3], SHUT_WR), "shutdown");
	inet_set(client[4], IPPROTO_TCP, TCP_NODELAY, 1);
	need(!fcntl(client[4], F_SETFL, O_NONBLOCK), "nonblock");
	both = inet_socket(AF_INET6, SOCK_STREAM, 0);
	inet_bind(both, AF_INET6, "::", 4201);
	need(!listen(both, 10), "listen");
	six[0] = join(AF_INET6, "::1", 4201);
	put(six[0], 3);
	six[1] = join(AF_INET, "127.0.0.1", 4201);
	put(six[1], 4);

	brk = checkpoint_here();
	if (brk == 1)
		put(client[0], 1);
	if (brk == 2)
		close(accept(four, NULL, NULL));

	for (int i = 0; i < CLIENTS; i++) {
		check(inet_port(client[i]) == ports[i], "client %d: port %d, was %d", i, inet_port(client[i]),
		      ports[i]);
		fd = accept_next(four, client[i], "IPv4");
		expect_data(fd, lens[i], i == 3, "IPv4");
		expect_answer(client[i], "IPv4");
		close(fd);
	}
	check(inet_get(client[4], IPPROTO_TCP, TCP_NODELAY) == 1 && (fcntl(client[4], F_GETFL) & O_NONBLOCK),
	      "options");
	check(inet_get(client[1], SOL_SOCKET, SO_REUSEADDR) == 0, "reuse");
	for (int i = 0; i < 2; i++) {
		fd = accept_next(both, six[i], "both");
		expect_data(fd, 3 + i, false, "both");
		expect_answer(six[i], "both");
		put(six[i], 9);
		expect_data(fd, 9, false, "both, afterwards");
	}
	test_done();
}
