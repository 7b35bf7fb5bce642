// SPDX-License-Identifier: GPL-2.0-only
/*
 * Listening sockets of Multipath TCP, as Go creates them, with their options; what they have accepted from plain TCP;
 * new ones.
 * test: flavours=host,net net=own options=--tcp-established restore-options=--tcp-established breaks=1 decode=yes
 */
#include "checkpoint.h"
#include "inet.h"

#define MPTCP 262

static int make(int family, const char *host)
{
	int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK, MPTCP);

	if (fd < 0)
		test_skip("this kernel has no Multipath TCP");
	inet_set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	inet_bind(fd, family, host, 0);
	need(!listen(fd, 7), "listen: %m");
	return fd;
}

static void check_listener(int fd, int port, int family, const char *host)
{
	int client = inet_socket(family, SOCK_STREAM, MPTCP), server;
	char byte;

	check(inet_get(fd, SOL_SOCKET, SO_PROTOCOL) == MPTCP, "protocol %d", inet_get(fd, SOL_SOCKET, SO_PROTOCOL));
	check(inet_port(fd) == port && inet_get(fd, SOL_SOCKET, SO_REUSEADDR) == 1, "port %d", inet_port(fd));
	check(fcntl(fd, F_GETFL) == (O_RDWR | O_NONBLOCK), "flags");
	check(!inet_connect(client, family, host, port), "connect: %m");
	server = accept(fd, NULL, NULL);
	check(server >= 0 && inet_get(server, SOL_SOCKET, SO_PROTOCOL) == MPTCP, "accept: %m");
	check(send(client, "x", 1, 0) == 1 && recv(server, &byte, 1, 0) == 1, "the connection works: %m");
	close(client);
	close(server);
}

int main(int argc, char **argv)
{
	int four, six, fresh, client, server, port[2];
	char byte;

	test_init(argc, argv);
	four = make(AF_INET, "127.0.0.1");
	six = make(AF_INET6, "::1");
	port[0] = inet_port(four);
	port[1] = inet_port(six);
	fresh = inet_socket(AF_INET, SOCK_STREAM, MPTCP);
	client = inet_socket(AF_INET, SOCK_STREAM, 0);
	need(!inet_connect(client, AF_INET, "127.0.0.1", port[0]), "connect");
	server = accept(four, NULL, NULL);
	need(server >= 0 && inet_get(server, SOL_SOCKET, SO_PROTOCOL) == IPPROTO_TCP, "accept");
	if (checkpoint_here())
		close(six);
	check(send(client, "x", 1, 0) == 1 && recv(server, &byte, 1, 0) == 1,
	      "the plain TCP connection still works: %m");
	check_listener(four, port[0], AF_INET, "127.0.0.1");
	check_listener(six, port[1], AF_INET6, "::1");
	check(inet_get(fresh, SOL_SOCKET, SO_PROTOCOL) == MPTCP, "fresh");
	check(!inet_connect(fresh, AF_INET, "127.0.0.1", port[0]), "connect: %m");
	test_done();
}
