// SPDX-License-Identifier: GPL-2.0-only
/*
 * Connections about to be closed, with unread data: FIN_WAIT1, CLOSING, LAST_ACK.
 * test: flavours=host,net net=own options=--tcp-established restore-options=--tcp-established breaks=1
 */
#include "checkpoint.h"
#include "inet.h"
#include <poll.h>

static size_t filled[3];
static int client[3], server[3];
static const char *const names[3] = { "FIN_WAIT1", "CLOSING", "LAST_ACK" };
static const int states[3] = { TCP_FIN_WAIT1, TCP_CLOSING, TCP_LAST_ACK };

static size_t fill_up(int fd)
{
	static char block[4096];
	size_t n = 0;

	fill(block, sizeof(block), 7);
	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLOUT };
		ssize_t got = send(fd, block + n % sizeof(block), sizeof(block) - n % sizeof(block), MSG_DONTWAIT);

		if (got > 0)
			n += got;
		else if (!poll(&p, 1, 250))
			return n;
	}
}

static size_t drain(int fd, const char *name)
{
	static char block[4096], want[4096];
	size_t at = 0;

	fill(want, sizeof(want), 7);
	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		ssize_t got;

		need(poll(&p, 1, 20000) == 1, "%s: no data at %zu", name, at);
		got = read(fd, block, sizeof(block) - at % sizeof(block));
		need(got >= 0, "%s: read at %zu: %s", name, at, strerror(errno));
		if (!got)
			return at;
		need(!memcmp(block, want + at % sizeof(want), got), "%s: wrong bytes at %zu", name, at);
		at += got;
	}
}

int main(int argc, char **argv)
{
	int listener, i;
	char byte;

	test_init(argc, argv);
	listener = inet_socket(AF_INET, SOCK_STREAM, 0);
	inet_bind(listener, AF_INET, "127.0.0.1", 0);
	need(!listen(listener, 4), "listen");
	for (i = 0; i < 3; i++) {
		client[i] = inet_socket(AF_INET, SOCK_STREAM, 0);
		inet_set(client[i], SOL_SOCKET, SO_SNDBUF, 30000);
		need(!inet_connect(client[i], AF_INET, "127.0.0.1", inet_port(listener)), "connect");
		server[i] = accept(listener, NULL, NULL);
		need(server[i] >= 0, "accept");
		filled[i] = fill_up(client[i]);
	}
	need(!shutdown(client[0], SHUT_WR), "shutdown");
	need(!shutdown(client[1], SHUT_WR) && !shutdown(server[1], SHUT_WR), "shutdown");
	need(!shutdown(server[2], SHUT_WR) && !shutdown(client[2], SHUT_WR), "shutdown");
	for (i = 0; i < 3; i++)
		need(inet_state(client[i]) == states[i], "%s: state %d", names[i], inet_state(client[i]));

	if (checkpoint_here())
		check(read(server[0], &byte, 1) == 1, "break");

	for (i = 0; i < 3; i++) {
		size_t got;

		check(inet_state(client[i]) == states[i], "%s: state %d", names[i], inet_state(client[i]));
		got = drain(server[i], names[i]);
		check(got == filled[i], "%s: %zu bytes, not %zu", names[i], got, filled[i]);
	}
	check(send(server[0], "answer", 6, MSG_NOSIGNAL) == 6, "answer");
	{
		char text[8] = "";

		check(read(client[0], text, 6) == 6 && !strcmp(text, "answer"), "heard %s", text);
	}
	check(read(client[1], &byte, 1) == 0 && read(client[2], &byte, 1) == 0, "ends");
	check(inet_state(client[1]) == TCP_CLOSE && inet_state(client[2]) == TCP_CLOSE, "closed: %d, %d",
	      inet_state(client[1]), inet_state(client[2]));
	test_done();
}
