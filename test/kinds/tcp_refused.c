// SPDX-License-Identifier: GPL-2.0-only
/*
 * A connection is refused unless an option permits it: by its addresses, with the options that would help.
 * test: net=own refused=connection.from.127.0.0.1:[0-9]+.to.127.0.0.1:4100.*--tcp-established.*--tcp-close
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
	server = accept(listener, NULL, NULL);
	need(server >= 0, "accept");
	if (checkpoint_here())
		close(server);
	check(write(client, "x", 1) == 1 && read(server, &byte, 1) == 1, "the connection still works");
	test_done();
}
