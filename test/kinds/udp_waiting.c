// SPDX-License-Identifier: GPL-2.0-only
/*
 * Unread datagrams: order, sizes, senders, of IPv4, IPv6, mapped; connected sockets, sockets sharing a port, groups;
 * sockets with a peek offset.
 * test: flavours=host,net net=own breaks=2 decode=yes
 */
#include "checkpoint.h"
#include "inet.h"
#include <net/if.h>
#include <poll.h>

#define MANY 40
#define PEEK_OFF 42

static char block[65507];

struct sender {
	int fd;
	union inet_name name;
};

static struct sender sender(int family, const char *host, int protocol)
{
	struct sender s = { .fd = inet_socket(family, SOCK_DGRAM, protocol) };
	socklen_t len = sizeof(s.name);

	inet_bind(s.fd, family, host, 0);
	need(!getsockname(s.fd, &s.name.any, &len), "name");
	return s;
}

static void send_to(const struct sender *s, int family, const char *host, int port, size_t from, size_t len)
{
	union inet_name name;
	socklen_t name_len = inet_name(&name, family, host, port);

	need(sendto(s->fd, block + from, len, 0, &name.any, name_len) == (ssize_t)len, "send %zu: %s", len,
	     strerror(errno));
}

static void expect(int fd, const struct sender *s, size_t from, size_t len, const char *what)
{
	static char got[sizeof(block) + 1];
	union inet_name name = { 0 };
	socklen_t name_len = sizeof(name);
	ssize_t n = recvfrom(fd, got, sizeof(got), MSG_DONTWAIT, &name.any, &name_len);
	bool same = name.any.sa_family == AF_INET ? name.v4.sin_port == s->name.v4.sin_port &&
							    name.v4.sin_addr.s_addr == s->name.v4.sin_addr.s_addr :
						    name.v6.sin6_port == s->name.v6.sin6_port;

	if (name.any.sa_family == AF_INET6 && s->name.any.sa_family == AF_INET6)
		same = same && !memcmp(&name.v6.sin6_addr, &s->name.v6.sin6_addr, 16);
	if (name.any.sa_family == AF_INET6 && s->name.any.sa_family == AF_INET)
		same = same && !memcmp(&name.v6.sin6_addr.s6_addr[12], &s->name.v4.sin_addr, 4);
	check(n == (ssize_t)len && !memcmp(got, block + from, len), "%s: %zd bytes, not %zu", what, n, len);
	check(same, "%s: another sender", what);
}

static void empty(int fd, const char *what)
{
	char byte;

	check(recv(fd, &byte, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN, "%s: more than was sent", what);
}

int main(int argc, char **argv)
{
	struct ip_mreqn join = { .imr_ifindex = if_nametoindex("lo") };
	int brk, plain, six, mapped, connected, lite, shared[2], group, peeks;
	struct sender a, b, c, d;
	char bytes[8];

	test_init(argc, argv);
	fill(block, sizeof(block), 9);
	a = sender(AF_INET, "127.0.0.1", 0);
	b = sender(AF_INET, "127.0.0.7", 0);
	c = sender(AF_INET6, "::1", 0);
	d = sender(AF_INET, "127.0.0.1", IPPROTO_UDPLITE);
	plain = inet_socket(AF_INET, SOCK_DGRAM, 0);
	inet_set(plain, SOL_SOCKET, SO_RCVBUF, 400000);
	inet_bind(plain, AF_INET, "127.0.0.1", 6001);
	for (int i = 0; i < MANY; i++)
		send_to(i % 3 ? &a : &b, AF_INET, "127.0.0.1", 6001, i, i % 5 ? 10 * i + 1 : 0);
	send_to(&a, AF_INET, "127.0.0.1", 6001, 0, sizeof(block));
	six = inet_socket(AF_INET6, SOCK_DGRAM, 0);
	inet_bind(six, AF_INET6, "::1", 6002);
	send_to(&c, AF_INET6, "::1", 6002, 2, 3);
	send_to(&c, AF_INET6, "::1", 6002, 4, 20000);
	mapped = inet_socket(AF_INET6, SOCK_DGRAM, 0);
	inet_bind(mapped, AF_INET6, "::", 6003);
	send_to(&b, AF_INET, "127.0.0.1", 6003, 5, 6);
	send_to(&c, AF_INET6, "::1", 6003, 6, 7);
	connected = inet_socket(AF_INET, SOCK_DGRAM, 0);
	inet_bind(connected, AF_INET, "127.0.0.1", 6004);
	need(!connect(connected, &a.name.any, sizeof(a.name.v4)), "connect");
	send_to(&a, AF_INET, "127.0.0.1", 6004, 7, 8);
	lite = inet_socket(AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE);
	inet_bind(lite, AF_INET, "127.0.0.1", 6005);
	send_to(&d, AF_INET, "127.0.0.1", 6005, 8, 9);
	for (int i = 0; i < 2; i++) {
		shared[i] = inet_socket(AF_INET, SOCK_DGRAM, 0);
		inet_set(shared[i], SOL_SOCKET, SO_REUSEADDR, 1);
		inet_bind(shared[i], AF_INET, "0.0.0.0", 6006);
		send_to(&a, AF_INET, "127.0.0.1", 6006, 10 + i, 11);
	}
	group = inet_socket(AF_INET, SOCK_DGRAM, 0);
	inet_bind(group, AF_INET, "239.1.2.3", 6007);
	inet_pton(AF_INET, "239.1.2.3", &join.imr_multiaddr);
	need(!setsockopt(group, IPPROTO_IP, IP_ADD_MEMBERSHIP, &join, sizeof(join)), "join");
	need(!setsockopt(a.fd, IPPROTO_IP, IP_MULTICAST_IF, &join, sizeof(join)), "device");
	send_to(&a, AF_INET, "239.1.2.3", 6007, 12, 13);
	peeks = inet_socket(AF_INET, SOCK_DGRAM, 0);
	inet_bind(peeks, AF_INET, "127.0.0.1", 6008);
	inet_set(peeks, SOL_SOCKET, PEEK_OFF, 0);
	send_to(&a, AF_INET, "127.0.0.1", 6008, 20, 4);
	send_to(&a, AF_INET, "127.0.0.1", 6008, 30, 4);
	need(recv(peeks, bytes, sizeof(bytes), MSG_PEEK) == 4, "peek");

	brk = checkpoint_here();
	if (brk == 1)
		recv(plain, bytes, 1, 0);
	if (brk == 2)
		recv(connected, bytes, 1, 0);

	for (int i = 0; i < MANY; i++)
		expect(plain, i % 3 ? &a : &b, i, i % 5 ? 10 * i + 1 : 0, "plain");
	expect(plain, &a, 0, sizeof(block), "large");
	empty(plain, "plain");
	expect(six, &c, 2, 3, "six");
	expect(six, &c, 4, 20000, "six");
	empty(six, "six");
	expect(mapped, &b, 5, 6, "mapped");
	expect(mapped, &c, 6, 7, "both");
	expect(connected, &a, 7, 8, "connected");
	empty(connected, "connected");
	expect(lite, &d, 8, 9, "UDP-Lite");
	/* The kernel chooses which of the two gets which: unchanged by the restore, and each once. */
	for (int i = 0; i < 2; i++) {
		int at = recv(shared[0], bytes, 1, MSG_DONTWAIT | MSG_PEEK) == 1 && bytes[0] == block[10 + i] ? 0 : 1;

		expect(shared[at], &a, 10 + i, 11, "shared");
	}
	empty(shared[0], "shared");
	empty(shared[1], "shared");
	expect(group, &a, 12, 13, "group");
	check(inet_get(peeks, SOL_SOCKET, PEEK_OFF) == 4 && recv(peeks, bytes, sizeof(bytes), MSG_PEEK) == 4 &&
		      !memcmp(bytes, block + 30, 4),
	      "peeks at %d", inet_get(peeks, SOL_SOCKET, PEEK_OFF));
	expect(peeks, &a, 20, 4, "peeks");
	expect(peeks, &a, 30, 4, "peeks");
	/* The addresses are unchanged. */
	check(inet_port(plain) == 6001 && inet_port(mapped) == 6003, "ports");
	send_to(&a, AF_INET, "127.0.0.1", 6001, 40, 5);
	expect(plain, &a, 40, 5, "afterwards");
	send_to(&b, AF_INET, "127.0.0.1", 6004, 40, 5);
	empty(connected, "connected, from another one");
	test_done();
}
