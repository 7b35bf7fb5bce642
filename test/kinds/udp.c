// SPDX-License-Identifier: GPL-2.0-only
/*
 * UDP, UDP-Lite, raw and ICMP sockets: bound, connected, sharing a port, options, multicast.
 * test: flavours=host,net net=own breaks=2 decode=yes
 */
#include "checkpoint.h"
#include "inet.h"
#include <net/if.h>
#include <netinet/ip_icmp.h>
#include <netinet/icmp6.h>
#include <poll.h>

#define MANY 70

static int bound, connected, six, lite, raw, raw6, ping, group, group6, shared[2], unbound, autobound;

static void expect(int fd, const char *text, const char *what)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char buf[64] = "";

	check(poll(&p, 1, 3000) == 1 && recv(fd, buf, sizeof(buf) - 1, 0) == (ssize_t)strlen(text) &&
		      !strcmp(buf, text),
	      "%s: received '%s'", what, buf);
}

static void send_to(int family, const char *host, int port, const char *text)
{
	int fd = inet_socket(family, SOCK_DGRAM, 0);
	union inet_name name;
	socklen_t len = inet_name(&name, family, host, port);

	inet_set(fd, family == AF_INET ? IPPROTO_IP : IPPROTO_IPV6,
		 family == AF_INET ? IP_MULTICAST_IF : IPV6_MULTICAST_IF,
		 family == AF_INET ? (int)htonl(INADDR_LOOPBACK) : (int)if_nametoindex("lo"));
	check(sendto(fd, text, strlen(text), 0, &name.any, len) == (ssize_t)strlen(text), "send %s: %s", text,
	      strerror(errno));
	close(fd);
}

static void many_group(int i, struct ipv6_mreq *ret)
{
	char address[INET6_ADDRSTRLEN];

	snprintf(address, sizeof(address), "ff01::9:%x", i + 1);
	inet_pton(AF_INET6, address, &ret->ipv6mr_multiaddr);
}

static void set_up_groups(void)
{
	struct ip_mreqn four = { .imr_ifindex = if_nametoindex("lo") };
	struct group_source_req source = { .gsr_interface = if_nametoindex("lo") };
	struct ipv6_mreq sixth = { .ipv6mr_interface = if_nametoindex("lo") };

	group = inet_socket(AF_INET, SOCK_DGRAM, 0);
	inet_set(group, IPPROTO_IP, IP_MULTICAST_ALL, 0);
	inet_set(group, IPPROTO_IP, IP_MULTICAST_TTL, 5);
	inet_set(group, IPPROTO_IP, IP_MULTICAST_LOOP, 0);
	inet_bind(group, AF_INET, "0.0.0.0", 5005);
	inet_pton(AF_INET, "239.1.2.3", &four.imr_multiaddr);
	need(!setsockopt(group, IPPROTO_IP, IP_ADD_MEMBERSHIP, &four, sizeof(four)), "join");
	inet_name((union inet_name *)&source.gsr_group, AF_INET, "239.1.2.4", 0);
	inet_name((union inet_name *)&source.gsr_source, AF_INET, "127.0.0.1", 0);
	need(!setsockopt(group, IPPROTO_IP, MCAST_JOIN_SOURCE_GROUP, &source, sizeof(source)), "join by source");
	group6 = inet_socket(AF_INET6, SOCK_DGRAM, 0);
	inet_bind(group6, AF_INET6, "::", 5006);
	inet_pton(AF_INET6, "ff01::7", &sixth.ipv6mr_multiaddr);
	need(!setsockopt(group6, IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, &sixth, sizeof(sixth)), "join: %s",
	     strerror(errno));
	for (int i = 0; i < MANY; i++) {
		many_group(i, &sixth);
		need(!setsockopt(group6, IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, &sixth, sizeof(sixth)), "join %d: %s", i,
		     strerror(errno));
	}
}

static void set_up(void)
{
	struct icmp_filter {
		uint32_t data;
	} filter = { ~(1u << ICMP_ECHOREPLY) };

	bound = inet_socket(AF_INET, SOCK_DGRAM, 0);
	inet_bind(bound, AF_INET, "127.0.0.1", 5001);
	inet_set(bound, SOL_SOCKET, SO_BROADCAST, 1);
	inet_set(bound, IPPROTO_IP, IP_PKTINFO, 1);
	inet_set(bound, IPPROTO_IP, IP_RECVTTL, 1);
	inet_set(bound, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO);
	connected = inet_socket(AF_INET, SOCK_DGRAM, 0);
	need(!inet_connect(connected, AF_INET, "127.0.0.1", 5001), "connect");
	six = inet_socket(AF_INET6, SOCK_DGRAM, 0);
	inet_bind(six, AF_INET6, "::1", 5002);
	inet_set(six, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
	inet_set(six, IPPROTO_IPV6, IPV6_TCLASS, 8);
	lite = inet_socket(AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE);
	inet_bind(lite, AF_INET, "127.0.0.1", 5003);
	inet_set(lite, IPPROTO_UDPLITE, 11, 12);
	raw = inet_socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
	need(!setsockopt(raw, SOL_RAW, 1, &filter, sizeof(filter)), "filter");
	inet_set(raw, IPPROTO_IP, IP_HDRINCL, 1);
	raw6 = inet_socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6);
	inet_bind(raw6, AF_INET6, "::1", 0);
	ping = socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP);
	for (int i = 0; i < 2; i++) {
		shared[i] = inet_socket(AF_INET, SOCK_DGRAM, 0);
		inet_set(shared[i], SOL_SOCKET, SO_REUSEADDR, 1);
		inet_bind(shared[i], AF_INET, "0.0.0.0", 5004);
	}
	unbound = inet_socket(AF_INET, SOCK_DGRAM, 0);
	autobound = inet_socket(AF_INET, SOCK_DGRAM, 0);
	{
		union inet_name name;
		socklen_t len = inet_name(&name, AF_INET, "127.0.0.1", 9);

		need(sendto(autobound, "x", 1, 0, &name.any, len) == 1, "send");
	}
	set_up_groups();
}

int main(int argc, char **argv)
{
	int brk, port;
	uint32_t filter = 0;
	socklen_t len = sizeof(filter);

	test_init(argc, argv);
	set_up();
	port = inet_port(autobound);
	brk = checkpoint_here();
	if (brk == 1)
		close(six);
	if (brk == 2)
		close(group);

	check(send(connected, "from the connected", 18, 0) == 18, "send");
	expect(bound, "from the connected", "bound");
	check(inet_get(bound, SOL_SOCKET, SO_BROADCAST) == 1 && inet_get(bound, IPPROTO_IP, IP_PKTINFO) == 1 &&
		      inet_get(bound, IPPROTO_IP, IP_RECVTTL) == 1 &&
		      inet_get(bound, IPPROTO_IP, IP_MTU_DISCOVER) == IP_PMTUDISC_DO,
	      "options of bound");
	send_to(AF_INET6, "::1", 5002, "six");
	expect(six, "six", "six");
	check(inet_get(six, IPPROTO_IPV6, IPV6_RECVPKTINFO) == 1 && inet_get(six, IPPROTO_IPV6, IPV6_TCLASS) == 8,
	      "options of six");
	check(inet_port(lite) == 5003 && inet_get(lite, SOL_SOCKET, SO_PROTOCOL) == IPPROTO_UDPLITE &&
		      inet_get(lite, IPPROTO_UDPLITE, 11) == 12,
	      "UDP-Lite");
	check(!getsockopt(raw, SOL_RAW, 1, &filter, &len) && filter == ~(1u << ICMP_ECHOREPLY), "filter %#x", filter);
	check(inet_get(raw, IPPROTO_IP, IP_HDRINCL) == 1, "header included");
	{
		union inet_name name;

		len = sizeof(name);
		check(!getsockname(raw6, &name.any, &len) && IN6_IS_ADDR_LOOPBACK(&name.v6.sin6_addr), "raw IPv6");
	}
	check(ping < 0 || inet_get(ping, SOL_SOCKET, SO_PROTOCOL) == IPPROTO_ICMP, "ping");
	check(inet_port(shared[0]) == 5004 && inet_port(shared[1]) == 5004, "shared");
	check(inet_port(unbound) == 0 && inet_port(autobound) == port, "unbound, autobound");
	send_to(AF_INET, "239.1.2.3", 5005, "to the group");
	expect(group, "to the group", "group");
	send_to(AF_INET, "239.1.2.4", 5005, "by source");
	expect(group, "by source", "group by source");
	check(inet_get(group, IPPROTO_IP, IP_MULTICAST_TTL) == 5 &&
		      inet_get(group, IPPROTO_IP, IP_MULTICAST_LOOP) == 0 &&
		      inet_get(group, IPPROTO_IP, IP_MULTICAST_ALL) == 0,
	      "options of the group");
	{
		struct ipv6_mreq sixth = { .ipv6mr_interface = if_nametoindex("lo") };

		inet_pton(AF_INET6, "ff01::7", &sixth.ipv6mr_multiaddr);
		check(!setsockopt(group6, IPPROTO_IPV6, IPV6_DROP_MEMBERSHIP, &sixth, sizeof(sixth)), "IPv6 group");
		for (int i = 0; i < MANY; i++) {
			many_group(i, &sixth);
			check(!setsockopt(group6, IPPROTO_IPV6, IPV6_DROP_MEMBERSHIP, &sixth, sizeof(sixth)),
			      "IPv6 group %d of many", i);
		}
	}
	test_done();
}
