// SPDX-License-Identifier: GPL-2.0-only
/*
 * Options whose value the kernel does not return are refused by name, each with its descriptor.
 * test: net=own user-root=host refused='(?s)(?!.*fd 305)(?!.*fd 308)(?=.*fd 307: [^\n]*MSG_MORE)(?=.*fd 301: [^\n]*UDP_CORK)(?=.*fd 302: [^\n]*UDP_CORK)(?=.*fd 306: [^\n]*MSG_MORE)(?=.*fd 303: [^\n]*UDP_ENCAP 3)(?=.*fd 304: [^\n]*IPV6_ROUTER_ALERT)'
 */
#include "checkpoint.h"
#include "inet.h"

static void socket_at(int number, int family, int type, int protocol, int level, int name, int value)
{
	int fd = inet_socket(family, type, protocol);

	inet_set(fd, level, name, value);
	need(dup2(fd, number) == number && !close(fd), "dup2");
}

int main(int argc, char **argv)
{
	union inet_name to;
	socklen_t len;

	test_init(argc, argv);
	socket_at(301, AF_INET, SOCK_DGRAM, 0, IPPROTO_UDP, 1 /* UDP_CORK */, 1);
	socket_at(302, AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE, IPPROTO_UDP, 1, 1);
	socket_at(303, AF_INET, SOCK_DGRAM, 0, IPPROTO_UDP, 100 /* UDP_ENCAP */, 3 /* L2TP */);
	socket_at(304, AF_INET6, SOCK_RAW, IPPROTO_RAW, SOL_IPV6, 22 /* IPV6_ROUTER_ALERT */, 5);
	socket_at(305, AF_INET, SOCK_DGRAM, 0, IPPROTO_UDP, 1, 1);
	socket_at(306, AF_INET, SOCK_RAW, 253, IPPROTO_IP, IP_TTL, 9);
	len = inet_name(&to, AF_INET, "127.0.0.1", 9);
	need(sendto(301, "part", 4, 0, &to.any, len) == 4 && sendto(302, "part", 4, 0, &to.any, len) == 4, "send: %m");
	need(sendto(306, "part", 4, MSG_MORE, &to.any, len) == 4, "send: %m");
	/* One that is being assembled without an option that shows it, and one that has sent such. */
	socket_at(307, AF_INET6, SOCK_DGRAM, 0, SOL_IPV6, IPV6_UNICAST_HOPS, 9);
	socket_at(308, AF_INET, SOCK_DGRAM, 0, IPPROTO_IP, IP_TTL, 9);
	need(sendto(308, "part", 4, MSG_MORE, &to.any, len) == 4 && sendto(308, "end", 3, 0, &to.any, len) == 3,
	     "send: %m");
	len = inet_name(&to, AF_INET6, "::1", 9);
	need(sendto(307, "part", 4, MSG_MORE, &to.any, len) == 4, "send: %m");
	if (checkpoint_here())
		inet_set(301, IPPROTO_UDP, 1, 0);
	check(inet_get(301, IPPROTO_UDP, 1) == 1 && inet_get(302, IPPROTO_UDP, 1) == 1 &&
		      inet_get(303, IPPROTO_UDP, 100) == 3 && inet_get(304, SOL_IPV6, 22) == 1,
	      "unchanged");
	test_done();
}
