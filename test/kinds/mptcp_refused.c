// SPDX-License-Identifier: GPL-2.0-only
/*
 * A connection of Multipath TCP is refused by that name, with what would help.
 * test: net=own options=--tcp-established refused='(?s)(?=.*fd 301: [^\n]*Multipath.TCP[^\n]*127.0.0.1:4400[^\n]*GODEBUG=multipathtcp=0)(?=.*fd 302: [^\n]*Multipath.TCP)'
 */
#include "checkpoint.h"
#include "inet.h"

#define MPTCP 262

int main(int argc, char **argv)
{
	int listener = socket(AF_INET, SOCK_STREAM, MPTCP), client, server;
	char byte;

	test_init(argc, argv);
	if (listener < 0)
		test_skip("this kernel has no Multipath TCP");
	inet_bind(listener, AF_INET, "127.0.0.1", 4400);
	need(!listen(listener, 4), "listen");
	client = inet_socket(AF_INET, SOCK_STREAM, MPTCP);
	need(!inet_connect(client, AF_INET, "127.0.0.1", 4400), "connect");
	server = accept(listener, NULL, NULL);
	need(server >= 0 && dup2(client, 301) == 301 && dup2(server, 302) == 302, "accept");
	close(client);
	close(server);
	if (checkpoint_here())
		close(302);
	check(send(301, "x", 1, 0) == 1 && recv(302, &byte, 1, 0) == 1, "the connection still works: %m");
	test_done();
}
