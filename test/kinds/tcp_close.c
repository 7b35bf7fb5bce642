// SPDX-License-Identifier: GPL-2.0-only
/*
 * --tcp-close at restore: connections are restored as closed, the listening socket listens.
 * test: flavours=host,net net=own options=--tcp-established restore-options=--tcp-close variants=restored breaks=1
 */
#include "checkpoint.h"
#include "inet.h"
#include <poll.h>

int main(int argc, char **argv)
{
	int listener = inet_socket(AF_INET, SOCK_STREAM, 0), client = inet_socket(AF_INET, SOCK_STREAM, 0), server;
	struct pollfd p = { .events = POLLIN | POLLOUT };
	char byte;

	test_init(argc, argv);
	signal(SIGPIPE, SIG_IGN);
	inet_set(listener, SOL_SOCKET, SO_REUSEADDR, 1);
	inet_bind(listener, AF_INET, "127.0.0.1", 4100);
	need(!listen(listener, 4), "listen");
	need(!inet_connect(client, AF_INET, "127.0.0.1", 4100), "connect");
	server = accept(listener, NULL, NULL);
	need(server >= 0, "accept");
	if (checkpoint_here())
		close(listener);
	if (inet_state(client) == TCP_ESTABLISHED) { /* the self check does not dump */
		shutdown(client, SHUT_RDWR);
		shutdown(server, SHUT_RDWR);
	}
	p.fd = server;
	check(poll(&p, 1, 1000) == 1 && p.revents & POLLHUP, "events %#x", p.revents);
	check(read(server, &byte, 1) == 0 && read(client, &byte, 1) == 0, "end of file");
	check(write(server, "x", 1) < 0 && errno == EPIPE, "write: %s", strerror(errno));
	close(client);
	client = inet_socket(AF_INET, SOCK_STREAM, 0);
	check(!inet_connect(client, AF_INET, "127.0.0.1", 4100), "connect again: %s", strerror(errno));
	test_done();
}
