// SPDX-License-Identifier: GPL-2.0-only
/*
 * TCP sockets without a connection: closed, bound, listening (IPv4, IPv6, both), several on one port, options.
 * test: flavours=host,pid,net net=own breaks=2 decode=yes
 */
#include "checkpoint.h"
#include "inet.h"

static int bound_only, closed, plain, six_only, both, shared[2], reuse[2];

static int listening(int family, const char *host, int port, int backlog)
{
	int fd = inet_socket(family, SOCK_STREAM, 0);

	inet_bind(fd, family, host, port);
	need(!listen(fd, backlog), "listen");
	return fd;
}

static void try_connection(int family, const char *host, int listener, const char *what)
{
	int client = inet_socket(family, SOCK_STREAM, 0), server;
	char byte = 0;

	if (inet_connect(client, family, host, inet_port(listener))) {
		check(false, "%s: connect: %s", what, strerror(errno));
		return;
	}
	server = accept(listener, NULL, NULL);
	check(server >= 0 && write(client, "x", 1) == 1 && read(server, &byte, 1) == 1 && byte == 'x', "%s: connection",
	      what);
	close(client);
	close(server);
}

static void set_up(void)
{
	closed = inet_socket(AF_INET6, SOCK_STREAM, 0);
	inet_set(closed, IPPROTO_TCP, TCP_NODELAY, 1);
	bound_only = inet_socket(AF_INET, SOCK_STREAM, 0);
	inet_bind(bound_only, AF_INET, "127.0.0.1", 4001);
	plain = listening(AF_INET, "127.0.0.1", 4002, 7);
	inet_set(plain, IPPROTO_TCP, TCP_DEFER_ACCEPT, 0);
	inet_set(plain, IPPROTO_TCP, TCP_KEEPIDLE, 77);
	inet_set(plain, SOL_SOCKET, SO_KEEPALIVE, 1);
	inet_set(plain, SOL_SOCKET, SO_RCVBUF, 100000);
	inet_set(plain, IPPROTO_TCP, TCP_MAXSEG, 1000);
	inet_set(plain, IPPROTO_IP, IP_TOS, 0x10);
	inet_set(plain, IPPROTO_IP, IP_TTL, 33);
	six_only = inet_socket(AF_INET6, SOCK_STREAM, 0);
	inet_set(six_only, IPPROTO_IPV6, IPV6_V6ONLY, 1);
	inet_bind(six_only, AF_INET6, "::1", 4003);
	need(!listen(six_only, 3), "listen");
	both = listening(AF_INET6, "::", 4004, 4096);
	for (int i = 0; i < 2; i++) {
		shared[i] = inet_socket(AF_INET, SOCK_STREAM, 0);
		inet_set(shared[i], SOL_SOCKET, SO_REUSEPORT, 1);
		inet_bind(shared[i], AF_INET, "127.0.0.1", 4005);
		need(!listen(shared[i], 3), "listen");
	}
	/* The first listens, the second is only bound. */
	for (int i = 0; i < 2; i++) {
		reuse[i] = inet_socket(AF_INET, SOCK_STREAM, 0);
		inet_set(reuse[i], SOL_SOCKET, SO_REUSEADDR, 1);
		inet_bind(reuse[i], AF_INET, "127.0.0.1", 4006);
	}
	need(!listen(reuse[0], 3), "listen");
}

int main(int argc, char **argv)
{
	struct tcp_info info;
	socklen_t len = sizeof(info);
	int brk;

	test_init(argc, argv);
	set_up();
	brk = checkpoint_here();
	if (brk == 1)
		close(six_only);
	if (brk == 2)
		listen(plain, 9);

	check(inet_port(bound_only) == 4001, "bound: %d", inet_port(bound_only));
	check(!listen(bound_only, 1), "listen");
	try_connection(AF_INET, "127.0.0.1", bound_only, "bound only");
	check(inet_port(closed) == 0 && inet_get(closed, IPPROTO_TCP, TCP_NODELAY) == 1, "closed");
	check(!getsockopt(plain, IPPROTO_TCP, TCP_INFO, &info, &len) && info.tcpi_state == TCP_LISTEN &&
		      info.tcpi_sacked == 7,
	      "state %d, backlog %d", info.tcpi_state, info.tcpi_sacked);
	try_connection(AF_INET, "127.0.0.1", plain, "plain");
	check(inet_get(plain, IPPROTO_TCP, TCP_KEEPIDLE) == 77, "keepidle");
	check(inet_get(plain, SOL_SOCKET, SO_KEEPALIVE) == 1, "keepalive");
	check(inet_get(plain, SOL_SOCKET, SO_RCVBUF) == 200000, "rcvbuf %d", inet_get(plain, SOL_SOCKET, SO_RCVBUF));
	check(inet_get(plain, IPPROTO_TCP, TCP_MAXSEG) == 1000, "maxseg %d", inet_get(plain, IPPROTO_TCP, TCP_MAXSEG));
	check(inet_get(plain, IPPROTO_IP, IP_TOS) == 0x10 && inet_get(plain, IPPROTO_IP, IP_TTL) == 33, "tos, ttl");
	try_connection(AF_INET6, "::1", six_only, "IPv6");
	check(inet_get(six_only, IPPROTO_IPV6, IPV6_V6ONLY) == 1, "v6only");
	try_connection(AF_INET6, "::1", both, "both, by IPv6");
	try_connection(AF_INET, "127.0.0.1", both, "both, by IPv4");
	check(inet_port(shared[0]) == 4005 && inet_port(shared[1]) == 4005, "shared");
	check(inet_get(shared[1], SOL_SOCKET, SO_REUSEPORT) == 1 && !inet_get(shared[1], SOL_SOCKET, SO_REUSEADDR),
	      "reuse port");
	try_connection(AF_INET, "127.0.0.1", reuse[0], "reuse");
	check(inet_get(reuse[1], SOL_SOCKET, SO_REUSEADDR) == 1 && inet_port(reuse[1]) == 4006, "reuse, bound");
	test_done();
}
