// SPDX-License-Identifier: GPL-2.0-only
/*
 * A connection that is not accepted yet, and whose client has been closed, is refused with the address of the listening
 * socket.
 * test: net=own options=--tcp-established refused=127.0.0.1:4100.are.not.accepted.yet.*not.in.this.tree.*--skip-in-flight
 */
#include "checkpoint.h"
#include "inet.h"

int main(int argc, char **argv)
{
	int listener = inet_socket(AF_INET, SOCK_STREAM, 0), client = inet_socket(AF_INET, SOCK_STREAM, 0), server;
	char byte;

	test_init(argc, argv);
	inet_bind(listener, AF_INET, "127.0.0.1", 4100);
	need(!listen(listener, 4), "listen");
	need(!inet_connect(client, AF_INET, "127.0.0.1", 4100), "connect");
	need(write(client, "x", 1) == 1, "write");
	close(client);
	if (checkpoint_here())
		need(listen(listener, 0) || !close(listener), "close");
	server = accept(listener, NULL, NULL);
	check(server >= 0 && read(server, &byte, 1) == 1 && byte == 'x' && !read(server, &byte, 1),
	      "the connection is there");
	test_done();
}
