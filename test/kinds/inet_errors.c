// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pending errors: a connect(2) that was refused, or found no route; datagrams that were refused; connections that were
 * reset. Each error is reported once, with the same value, and the socket then works as usual.
 * test: flavours=host,net net=own options=--tcp-established restore-options=--tcp-established breaks=3 decode=yes
 */
#include "checkpoint.h"
#include "inet.h"
#include <netinet/ip_icmp.h>
#include <poll.h>

static int refused, again, queried, six, named, named_port, refused_port, udp, udp6, reported, epipe, listener,
	no_route;

static int connecting(int family, const char *host, int bind_to)
{
	int fd = inet_socket(family, SOCK_STREAM | SOCK_NONBLOCK, 0);

	if (bind_to)
		inet_bind(fd, family, host, 0);
	need(inet_connect(fd, family, host, 9) < 0 && errno == EINPROGRESS, "connect: %m");
	for (int i = 0; i < 2000 && inet_state(fd) != TCP_CLOSE; i++)
		sleep_ms(1);
	need(inet_state(fd) == TCP_CLOSE, "state %d", inet_state(fd));
	return fd;
}

static int datagram(int family, const char *host)
{
	int fd = inet_socket(family, SOCK_DGRAM, 0);
	struct pollfd p = { .fd = fd };

	need(!inet_connect(fd, family, host, 9) && send(fd, "x", 1, 0) == 1, "send: %m");
	need(poll(&p, 1, 3000) == 1 && p.revents & POLLERR, "the datagram is not refused");
	return fd;
}

/* An ICMP error in reply to its packets, as a router would send it; here we do. */
static int unreachable(void)
{
	int fd = inet_socket(AF_INET, SOCK_DGRAM, 0), raw = inet_socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
	struct pollfd p = { .fd = fd };
	unsigned char packet[8 + 20 + 8] = { 3, 13 };
	union inet_name to;
	socklen_t len;
	uint32_t sum = 0;

	need(!inet_connect(fd, AF_INET, "127.0.0.1", 11), "connect");
	packet[8] = 0x45;
	packet[8 + 3] = 28;
	packet[8 + 8] = 64;
	packet[8 + 9] = IPPROTO_UDP;
	packet[8 + 12] = packet[8 + 16] = 127;
	packet[8 + 15] = packet[8 + 19] = 1;
	packet[8 + 20] = (unsigned char)(inet_port(fd) >> 8);
	packet[8 + 21] = (unsigned char)inet_port(fd);
	packet[8 + 23] = 11;
	packet[8 + 25] = 8;
	for (size_t i = 0; i < sizeof(packet); i += 2)
		sum += (uint32_t)packet[i] << 8 | packet[i + 1];
	sum = ~((sum & 0xffff) + (sum >> 16));
	packet[2] = (unsigned char)(sum >> 8);
	packet[3] = (unsigned char)sum;
	len = inet_name(&to, AF_INET, "127.0.0.1", 0);
	need(sendto(raw, packet, sizeof(packet), 0, &to.any, len) == sizeof(packet), "send: %m");
	need(poll(&p, 1, 3000) == 1 && p.revents & POLLERR, "the ICMP message has no effect");
	close(raw);
	return fd;
}

/* A peer that closed and then reset the connection. */
static int reset_after_fin(void)
{
	static const struct linger reset = { 1, 0 };
	int client = inet_socket(AF_INET, SOCK_STREAM, 0), server;

	need(!inet_connect(client, AF_INET, "127.0.0.1", inet_port(listener)), "connect: %m");
	server = accept(listener, NULL, NULL);
	need(server >= 0 && send(server, "bye", 3, 0) == 3, "accept, send: %m");
	need(!shutdown(server, SHUT_WR), "shutdown");
	for (int i = 0; i < 2000 && inet_state(client) != TCP_CLOSE_WAIT; i++)
		sleep_ms(1);
	/* It does not read this, so that closing sends a reset. */
	need(send(client, "x", 1, 0) == 1 && !setsockopt(server, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)),
	     "linger");
	close(server);
	for (int i = 0; i < 2000 && inet_state(client) != TCP_CLOSE; i++)
		sleep_ms(1);
	need(inet_state(client) == TCP_CLOSE, "state %d", inet_state(client));
	return client;
}

static void reported_once(int fd, int error, const char *what)
{
	struct pollfd p = { .fd = fd };
	int got;

	check(poll(&p, 1, 0) == 1 && (p.revents & POLLERR), "%s: poll %#x", what, p.revents);
	got = inet_get(fd, SOL_SOCKET, SO_ERROR);
	check(got == error, "%s: %s", what, strerror(got));
	got = inet_get(fd, SOL_SOCKET, SO_ERROR);
	check(!got, "%s: then %s", what, strerror(got));
	poll(&p, 1, 0);
	check(!(p.revents & POLLERR), "%s: then poll %#x", what, p.revents);
}

static void set_up(void)
{
	listener = inet_socket(AF_INET, SOCK_STREAM, 0);
	inet_bind(listener, AF_INET, "127.0.0.1", 0);
	need(!listen(listener, 9), "listen");
	refused = connecting(AF_INET, "127.0.0.1", 0);
	refused_port = inet_port(refused);
	again = connecting(AF_INET, "127.0.0.1", 0);
	six = connecting(AF_INET6, "::1", 0);
	named = connecting(AF_INET, "127.0.0.1", 1);
	named_port = inet_port(named);
	queried = connecting(AF_INET, "127.0.0.1", 0);
	need(inet_get(queried, SOL_SOCKET, SO_ERROR) == ECONNREFUSED, "queried");
	udp = datagram(AF_INET, "127.0.0.1");
	udp6 = datagram(AF_INET6, "::1");
	reported = datagram(AF_INET, "127.0.0.1");
	need(inet_get(reported, SOL_SOCKET, SO_ERROR) == ECONNREFUSED, "reported");
	no_route = unreachable();
	epipe = reset_after_fin();
}

int main(int argc, char **argv)
{
	struct pollfd p;
	char bytes[4];
	int brk;

	test_init(argc, argv);
	set_up();
	brk = checkpoint_here();
	if (brk == 1)
		inet_get(refused, SOL_SOCKET, SO_ERROR);
	if (brk == 2)
		inet_get(udp, SOL_SOCKET, SO_ERROR);
	if (brk == 3)
		inet_get(epipe, SOL_SOCKET, SO_ERROR);

	check(inet_port(refused) == refused_port, "port %d, not %d", inet_port(refused), refused_port);
	p = (struct pollfd){ .fd = refused, .events = POLLIN | POLLOUT | POLLRDHUP };
	check(poll(&p, 1, 0) == 1 && p.revents == (POLLIN | POLLOUT | POLLERR | POLLHUP | POLLRDHUP), "poll %#x",
	      p.revents);
	reported_once(refused, ECONNREFUSED, "refused");
	reported_once(six, ECONNREFUSED, "six");
	check(inet_connect(again, AF_INET, "127.0.0.1", inet_port(listener)) < 0 && errno == ECONNREFUSED,
	      "connect again: %m");
	check(!inet_connect(again, AF_INET, "127.0.0.1", inet_port(listener)) || errno == EINPROGRESS,
	      "connect a third time: %m");
	check(send(again, "", 0, MSG_NOSIGNAL) == 0, "the new connection works: %m");
	check(inet_connect(queried, AF_INET, "127.0.0.1", inet_port(listener)) < 0 && errno == ECONNABORTED,
	      "connect after the error was reported: %m");
	check(inet_port(named) == named_port, "named: port %d, not %d", inet_port(named), named_port);
	reported_once(named, ECONNREFUSED, "named");
	reported_once(udp, ECONNREFUSED, "udp");
	reported_once(udp6, ECONNREFUSED, "udp6");
	check(!inet_get(reported, SOL_SOCKET, SO_ERROR), "reported");
	reported_once(no_route, EHOSTUNREACH, "unreachable");
	reported_once(epipe, EPIPE, "reset after FIN");
	check(recv(epipe, bytes, sizeof(bytes), MSG_DONTWAIT) == 3, "bye: %m");
	test_done();
}
