// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sockets of every type that are shut down, in each direction, connected or not: each direction keeps its state.
 * test: flavours=host,net net=own breaks=2 decode=yes
 */
#include "checkpoint.h"
#include "inet.h"
#include <poll.h>
#include <sys/un.h>

#define WAYS 4 /* as in shutdown(2), and one that is not shut down */
#define OPEN 3

/* Packet sockets: what is sent comes back to the sender, or goes nowhere. */
struct sort {
	const char *name;
	int family, type, protocol;
	bool connected;
	int fd[WAYS];
};

static struct sort types[] = {
	{ "UDP", AF_INET, SOCK_DGRAM, IPPROTO_UDP, true, { 0 } },
	{ "UDP, not connected", AF_INET, SOCK_DGRAM, IPPROTO_UDP, false, { 0 } },
	{ "UDP6", AF_INET6, SOCK_DGRAM, IPPROTO_UDP, true, { 0 } },
	{ "UDP-Lite", AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE, true, { 0 } },
	{ "raw", AF_INET, SOCK_RAW, 253, true, { 0 } },
	{ "raw6", AF_INET6, SOCK_RAW, 253, true, { 0 } },
	{ "ping", AF_INET, SOCK_DGRAM, IPPROTO_ICMP, true, { 0 } },
};
#define SORTS (sizeof(types) / sizeof(types[0]))

/* An echo request, or the header of a packet. */
static const char echo[20] = { 8 };
static const char packet[20] = { 0x45, 0, 0, 20, 0, 0, 0, 0, 64, 253, 0, 0, 127, 0, 0, 1, 127, 0, 0, 1 };
static int fresh[WAYS], bound[WAYS], port[WAYS], listener;

/* Raw sockets have no ports. */
static int port_of(const struct sort *s)
{
	return s->type == SOCK_RAW ? 0 : 9;
}

static void make(struct sort *s, int way)
{
	int fd = socket(s->family, s->type, s->protocol);

	s->fd[way] = fd;
	/* By default no group may use ping sockets. */
	if (fd < 0)
		return;
	if (s->type == SOCK_RAW && s->family == AF_INET)
		inet_set(fd, IPPROTO_IP, IP_HDRINCL, 1);
	if (s->connected)
		need(!inet_connect(fd, s->family, s->family == AF_INET ? "127.0.0.1" : "::1", 9), "%s: connect: %m",
		     s->name);
	if (way != OPEN)
		need(!shutdown(fd, way) == s->connected, "%s: shutdown %d: %m", s->name, way);
}

static short shown(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLRDHUP };

	poll(&p, 1, 0);
	return p.revents & (POLLRDHUP | POLLHUP);
}

static void check_type(const struct sort *s, int way)
{
	bool reads = way == SHUT_WR || way == OPEN, writes = way == SHUT_RD || way == OPEN;
	short want = reads ? 0 : (short)(writes ? POLLRDHUP : POLLRDHUP | POLLHUP);
	union inet_name to;
	socklen_t len = inet_name(&to, s->family, s->family == AF_INET ? "127.0.0.1" : "::1", port_of(s));
	ssize_t sent;

	if (s->fd[way] < 0)
		return;
	check(shown(s->fd[way]) == want, "%s: way %d: poll %#x, not %#x", s->name, way, shown(s->fd[way]), want);
	/* Of raw sockets only those with IP_HDRINCL respect it when sending. */
	writes |= s->type == SOCK_RAW && s->family == AF_INET6;
	sent = sendto(s->fd[way], s->protocol == IPPROTO_ICMP ? echo : packet, sizeof(packet), MSG_NOSIGNAL,
		      s->connected ? NULL : &to.any, s->connected ? 0 : len);
	check(writes ? sent == sizeof(packet) : sent < 0 && errno == EPIPE, "%s: way %d: sent %zd: %m", s->name, way,
	      sent);
}

/* New and bound TCP sockets: they are still shut down once connected. */
static void make_tcp(int way)
{
	fresh[way] = inet_socket(AF_INET, SOCK_STREAM, 0);
	bound[way] = inet_socket(AF_INET, SOCK_STREAM, 0);
	inet_bind(bound[way], AF_INET, "127.0.0.1", 0);
	port[way] = inet_port(bound[way]);
	if (way != OPEN) {
		shutdown(fresh[way], way);
		shutdown(bound[way], way);
	}
}

static void check_tcp(int fd, int way, const char *what)
{
	bool reads = way == SHUT_WR || way == OPEN, writes = way == SHUT_RD || way == OPEN;
	short want = (short)(reads ? POLLHUP : POLLHUP | POLLRDHUP);
	ssize_t sent;

	check(shown(fd) == want, "%s: way %d: poll %#x, not %#x", what, way, shown(fd), want);
	check(!inet_connect(fd, AF_INET, "127.0.0.1", inet_port(listener)), "%s: way %d: connect: %m", what, way);
	sent = send(fd, "x", 1, MSG_NOSIGNAL);
	check(writes ? sent == 1 : sent < 0 && errno == EPIPE, "%s: way %d: sent %zd: %m", what, way, sent);
	close(accept(listener, NULL, NULL));
}

int main(int argc, char **argv)
{
	int brk;

	test_init(argc, argv);
	/* Of this network namespace, which belongs to the test. */
	write_file("/proc/sys/net/ipv4/ping_group_range", "0 2147483647");
	for (size_t i = 0; i < SORTS; i++)
		for (int way = 0; way < WAYS; way++)
			make(&types[i], way);
	for (int way = 0; way < WAYS; way++)
		make_tcp(way);
	listener = inet_socket(AF_INET, SOCK_STREAM, 0);
	inet_bind(listener, AF_INET, "127.0.0.1", 0);
	need(!listen(listener, 9), "listen");
	/* On a listening socket this has no effect. */
	need(!shutdown(listener, SHUT_WR), "shutdown: %m");

	brk = checkpoint_here();
	if (brk == 1)
		shutdown(types[0].fd[OPEN], SHUT_WR);
	if (brk == 2)
		shutdown(bound[OPEN], SHUT_RD);

	for (size_t i = 0; i < SORTS; i++)
		for (int way = 0; way < WAYS; way++)
			check_type(&types[i], way);
	for (int way = 0; way < WAYS; way++) {
		check(inet_port(bound[way]) == port[way], "bound %d to %d, not %d", way, inet_port(bound[way]),
		      port[way]);
		check_tcp(fresh[way], way, "fresh");
		check_tcp(bound[way], way, "bound");
	}
	test_done();
}
