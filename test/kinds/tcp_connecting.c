// SPDX-License-Identifier: GPL-2.0-only
/*
 * A connecting socket while the listener's queue is full; the connection in that queue is left out.
 * test: flavours=host,net net=own options=--tcp-established,--skip-in-flight restore-options=--tcp-established variants=running,restored breaks=1
 */
#include "checkpoint.h"
#include "inet.h"
#include <poll.h>

int main(int argc, char **argv)
{
	int listener = inet_socket(AF_INET, SOCK_STREAM, 0), first = inet_socket(AF_INET, SOCK_STREAM, 0);
	int second = inet_socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), server = -1, port, n = 0;
	struct pollfd p = { .fd = second, .events = POLLOUT };
	char byte = 0;

	test_init(argc, argv);
	signal(SIGPIPE, SIG_IGN);
	inet_bind(listener, AF_INET, "127.0.0.1", 4100);
	need(!listen(listener, 0), "listen");
	need(!inet_connect(first, AF_INET, "127.0.0.1", 4100), "connect");
	need(inet_connect(second, AF_INET, "127.0.0.1", 4100) < 0 && errno == EINPROGRESS, "connect");
	need(inet_state(second) == TCP_SYN_SENT, "state %d", inet_state(second));
	port = inet_port(second);

	if (checkpoint_here())
		close(second);

	check(inet_port(second) == port, "port");
	/* If the tree kept running, the unaccepted connection is still there; after a restore it is not. */
	p.fd = listener;
	p.events = POLLIN;
	while (n < 2 && poll(&p, 1, 8000) == 1 && (server = accept(listener, NULL, NULL)) >= 0) {
		struct sockaddr_in peer = { 0 };
		socklen_t len = sizeof(peer);

		n++;
		if (!getpeername(server, (void *)&peer, &len) && ntohs(peer.sin_port) == port)
			break;
	}
	check(server >= 0, "second connection");
	p.fd = second;
	p.events = POLLOUT;
	check(poll(&p, 1, 3000) == 1 && inet_state(second) == TCP_ESTABLISHED, "state %d", inet_state(second));
	check(write(second, "x", 1) == 1 && read(server, &byte, 1) == 1 && byte == 'x', "second connection");
	test_done();
}
