// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ended connections: their unread data, then the end of file, or the reset that has not been reported yet.
 * test: flavours=host,net net=own options=--tcp-established restore-options=--tcp-established breaks=2 decode=yes
 */
#include "checkpoint.h"
#include "inet.h"
#include <poll.h>

#define LARGE 300000

static const struct linger reset = { 1, 0 };
static char block[LARGE];

struct ended {
	int listener, client, server;
};

static void make(struct ended *o, int family, const char *host, size_t len)
{
	size_t done = 0;

	o->listener = inet_socket(family, SOCK_STREAM, 0);
	/* Its connections keep the port for a minute: TIME_WAIT. */
	inet_set(o->listener, SOL_SOCKET, SO_REUSEADDR, 1);
	inet_bind(o->listener, family, host, 0);
	need(!listen(o->listener, 4), "listen");
	o->client = inet_socket(family, SOCK_STREAM, 0);
	inet_set(o->client, SOL_SOCKET, SO_RCVBUF, 2 * LARGE);
	need(!inet_connect(o->client, family, host, inet_port(o->listener)), "connect: %s", strerror(errno));
	o->server = accept(o->listener, NULL, NULL);
	need(o->server >= 0, "accept");
	while (done < len) {
		ssize_t n = send(o->server, block + done, len - done, MSG_NOSIGNAL);

		need(n > 0, "send at %zu: %s", done, strerror(errno));
		done += n;
	}
}

static void await_closed(const struct ended *o, const char *what)
{
	struct pollfd p = { .fd = o->client, .events = 0 };

	for (int i = 0; i < 2000 && inet_state(o->client) != TCP_CLOSE; i++)
		poll(&p, 0, 5);
	need(inet_state(o->client) == TCP_CLOSE, "%s: state %d", what, inet_state(o->client));
}

/* Both ends have sent a FIN, and the program has not read it. */
static void end(struct ended *o, const char *what)
{
	need(!shutdown(o->server, SHUT_WR) && !shutdown(o->client, SHUT_WR), "%s: shutdown: %s", what, strerror(errno));
	close(o->server);
	await_closed(o, what);
}

static void reset_peer(struct ended *o, const char *what)
{
	need(!setsockopt(o->server, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)), "linger");
	close(o->server);
	await_closed(o, what);
}

static void expect_data(const struct ended *o, size_t len, int then, const char *what)
{
	static char got[LARGE + 1];
	size_t at = 0;
	ssize_t n;

	while (at < sizeof(got) && (n = recv(o->client, got + at, sizeof(got) - at, MSG_DONTWAIT)) > 0)
		at += n;
	check(at == len && !memcmp(got, block, at), "%s: %zu bytes, not %zu", what, at, len);
	check(then ? n < 0 && errno == then : !n, "%s: then %zd, %s", what, n, strerror(errno));
	check(recv(o->client, got, 1, MSG_DONTWAIT) == 0, "%s: no end of file", what);
	check(send(o->client, got, 1, MSG_NOSIGNAL) < 0 && errno == EPIPE, "%s: can still send", what);
}

int main(int argc, char **argv)
{
	struct ended small, six, large, reset_full, reset_empty, peeked;
	int brk, pieces;
	char byte;

	test_init(argc, argv);
	fill(block, sizeof(block), 3);
	make(&small, AF_INET, "127.0.0.1", 11);
	end(&small, "small");
	make(&six, AF_INET6, "::1", 12);
	end(&six, "six");
	make(&large, AF_INET, "127.0.0.1", LARGE);
	end(&large, "large");
	make(&reset_full, AF_INET, "127.0.0.1", 13);
	reset_peer(&reset_full, "cut");
	make(&reset_empty, AF_INET, "127.0.0.1", 0);
	reset_peer(&reset_empty, "cut, empty");
	make(&peeked, AF_INET, "127.0.0.1", 14);
	inet_set(peeked.client, SOL_SOCKET, 42 /* SO_PEEK_OFF */, 5);
	end(&peeked, "peeked");

	brk = checkpoint_here();
	if (brk == 1)
		need(read(small.client, &byte, 1) == 1, "break");
	if (brk == 2)
		getsockopt(reset_empty.client, SOL_SOCKET, SO_ERROR, &pieces, &(socklen_t){ sizeof(pieces) });

	expect_data(&small, 11, 0, "small");
	expect_data(&six, 12, 0, "six");
	expect_data(&large, LARGE, 0, "large");
	expect_data(&reset_full, 13, ECONNRESET, "cut");
	expect_data(&reset_empty, 0, ECONNRESET, "cut, empty");
	check(inet_get(peeked.client, SOL_SOCKET, 42) == 5 && recv(peeked.client, &byte, 1, MSG_PEEK) == 1 &&
		      byte == block[5],
	      "peeks at %d", inet_get(peeked.client, SOL_SOCKET, 42));
	expect_data(&peeked, 14, 0, "peeked");
	test_done();
}
