// SPDX-License-Identifier: GPL-2.0-only
/*
 * Link-local IPv6 addresses, which depend on their device: a connection with data in flight, a listening socket, a
 * datagram socket that is bound and one that is connected.
 * test: net=own options=--tcp-established restore-options=--tcp-established breaks=2 decode=yes
 */
#include "checkpoint.h"
#include "inet.h"
#include <net/if.h>
#include <sys/ioctl.h>

static unsigned int device;

/* struct in6_ifreq of linux/ipv6.h, which cannot be included together with netinet/in.h. */
struct address_request {
	struct in6_addr address;
	uint32_t prefix;
	int device;
};

static socklen_t local(union inet_name *to, int port)
{
	socklen_t len = inet_name(to, AF_INET6, "fe80::1", port);

	to->v6.sin6_scope_id = device;
	return len;
}

static void is_local(int fd, bool peer, int port, const char *what)
{
	union inet_name name = { 0 };
	socklen_t len = sizeof(name);
	int got = peer ? getpeername(fd, &name.any, &len) : getsockname(fd, &name.any, &len);

	check(!got && IN6_IS_ADDR_LINKLOCAL(&name.v6.sin6_addr) && name.v6.sin6_scope_id == device &&
		      (!port || ntohs(name.v6.sin6_port) == port),
	      "%s: scope %u, port %u", what, name.v6.sin6_scope_id, ntohs(name.v6.sin6_port));
}

int main(int argc, char **argv)
{
	int listener = inet_socket(AF_INET6, SOCK_STREAM, 0), client = inet_socket(AF_INET6, SOCK_STREAM, 0), server;
	int bound = inet_socket(AF_INET6, SOCK_DGRAM, 0), connected = inet_socket(AF_INET6, SOCK_DGRAM, 0), again, brk;
	struct address_request request = { .prefix = 64 };
	union inet_name name;
	char buf[32] = "";

	test_init(argc, argv);
	device = request.device = if_nametoindex("lo");
	need(inet_pton(AF_INET6, "fe80::1", &request.address) == 1, "address");
	need(!ioctl(bound, SIOCSIFADDR, &request), "address of lo: %m");
	local(&name, 4300);
	/* The kernel first checks that no other host has this address. */
	for (int i = 0; i < 1000 && bind(listener, &name.any, sizeof(name.v6)); i++) {
		need(errno == EADDRNOTAVAIL, "bind: %m");
		sleep_ms(10);
	}
	need(!listen(listener, 4), "listen: %m");
	need(!connect(client, &name.any, local(&name, 4300)), "connect: %m");
	server = accept(listener, NULL, NULL);
	need(server >= 0 && write(client, "on the way", 10) == 10, "accept");
	need(!bind(bound, &name.any, local(&name, 4301)), "bind: %m");
	need(!connect(connected, &name.any, local(&name, 4301)), "connect: %m");

	brk = checkpoint_here();
	if (brk == 1)
		need(read(server, buf, 3) == 3, "break");
	if (brk == 2)
		close(bound);

	is_local(listener, false, 4300, "listener");
	is_local(client, true, 4300, "client's peer");
	is_local(client, false, 0, "client");
	is_local(server, true, 0, "server's peer");
	is_local(bound, false, 4301, "bound");
	is_local(connected, true, 4301, "connected");
	check(read(server, buf, sizeof(buf)) == 10 && !memcmp(buf, "on the way", 10), "server: %s", buf);
	check(write(server, "answer", 6) == 6 && read(client, buf, sizeof(buf)) == 6 && !memcmp(buf, "answer", 6),
	      "client: %s", buf);
	check(send(connected, "datagram", 8, 0) == 8, "send: %m");
	check(recv(bound, buf, sizeof(buf), MSG_DONTWAIT) == 8 && !memcmp(buf, "datagram", 8), "datagram: %s", buf);
	again = inet_socket(AF_INET6, SOCK_STREAM, 0);
	check(!connect(again, &name.any, local(&name, 4300)) && accept(listener, NULL, NULL) >= 0, "connect again: %m");
	test_done();
}
