// SPDX-License-Identifier: GPL-2.0-only
/*
 * Netlink sockets (groups, port, options; route, uevent, generic) and packet sockets (protocol, device, membership).
 * test: flavours=host,net net=own breaks=2 decode=yes
 */
#include "checkpoint.h"
#include "inet.h"
#include <linux/genetlink.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <poll.h>

#ifndef SOL_NETLINK
#define SOL_NETLINK 270
#endif

static bool get_links(int fd)
{
	struct {
		struct nlmsghdr head;
		struct rtgenmsg gen;
	} query = { .head = { .nlmsg_len = sizeof(query),
			      .nlmsg_type = RTM_GETLINK,
			      .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP } };
	char answer[16384];
	struct nlmsghdr head = { 0 };

	if (send(fd, &query, sizeof(query), 0) != sizeof(query) ||
	    recv(fd, answer, sizeof(answer), 0) < (ssize_t)sizeof(head))
		return false;
	memcpy(&head, answer, sizeof(head));
	return head.nlmsg_type == RTM_NEWLINK;
}

/* Queries the controller, which every kernel has, about itself. */
static bool ask_generic(int fd)
{
	struct {
		struct nlmsghdr head;
		struct genlmsghdr gen;
	} query = { .head = { .nlmsg_len = sizeof(query),
			      .nlmsg_type = GENL_ID_CTRL,
			      .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
		    .gen = { .cmd = CTRL_CMD_GETFAMILY, .version = 1 } };
	struct nlmsghdr head = { 0 };
	char answer[16384];

	if (send(fd, &query, sizeof(query), 0) != sizeof(query) ||
	    recv(fd, answer, sizeof(answer), 0) < (ssize_t)sizeof(head))
		return false;
	memcpy(&head, answer, sizeof(head));
	return head.nlmsg_type == GENL_ID_CTRL;
}

int main(int argc, char **argv)
{
	struct sockaddr_nl link = { .nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK }, name;
	struct sockaddr_ll all = { .sll_family = AF_PACKET,
				   .sll_protocol = htons(0x88b5),
				   .sll_ifindex = if_nametoindex("lo") };
	struct packet_mreq promiscuous = { .mr_ifindex = if_nametoindex("lo"), .mr_type = PACKET_MR_PROMISC };
	struct sockaddr_ll shown;
	socklen_t len = sizeof(name);
	int groups = inet_socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE),
	    plain = inet_socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
	int uevent = inet_socket(AF_NETLINK, SOCK_DGRAM, NETLINK_KOBJECT_UEVENT), packet, unbound, brk, sender;
	struct sockaddr_nl own = { .nl_family = AF_NETLINK, .nl_pid = 123456 };
	int generic = inet_socket(AF_NETLINK, SOCK_RAW, NETLINK_GENERIC);
	struct sockaddr_nl udev = { .nl_family = AF_NETLINK, .nl_groups = 1 };
	struct pollfd p;
	uint32_t port;
	char buf[64] = "";

	test_init(argc, argv);
	need(!bind(groups, (void *)&link, sizeof(link)), "bind");
	inet_set(groups, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, RTNLGRP_IPV6_IFADDR);
	inet_set(groups, SOL_NETLINK, NETLINK_NO_ENOBUFS, 1);
	need(!getsockname(groups, (void *)&name, &len), "name");
	port = name.nl_pid;
	need(!bind(uevent, (void *)&udev, sizeof(udev)), "bind");
	need(!bind(generic, (void *)&own, sizeof(own)), "bind");
	inet_set(generic, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, GENL_ID_CTRL);
	packet = inet_socket(AF_PACKET, SOCK_DGRAM, 0);
	need(!bind(packet, (void *)&all, sizeof(all)), "bind: %s", strerror(errno));
	need(!setsockopt(packet, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &promiscuous, sizeof(promiscuous)), "promiscuous");
	inet_set(packet, SOL_PACKET, PACKET_AUXDATA, 1);
	unbound = inet_socket(AF_PACKET, SOCK_RAW, 0);

	brk = checkpoint_here();
	if (brk == 1)
		inet_set(groups, SOL_NETLINK, NETLINK_NO_ENOBUFS, 0);
	if (brk == 2)
		inet_set(packet, SOL_PACKET, PACKET_AUXDATA, 0);

	len = sizeof(name);
	check(!getsockname(groups, (void *)&name, &len) && name.nl_pid == port && name.nl_groups & RTMGRP_LINK,
	      "port %u, groups %#x", name.nl_pid, name.nl_groups);
	check(inet_get(groups, SOL_NETLINK, NETLINK_NO_ENOBUFS) == 1, "option");
	check(name.nl_groups & 1 << (RTNLGRP_IPV6_IFADDR - 1), "second group");
	check(get_links(plain), "links");
	len = sizeof(name);
	check(!getsockname(uevent, (void *)&name, &len) && name.nl_groups == 1, "uevent");
	len = sizeof(name);
	check(!getsockname(generic, (void *)&name, &len) && name.nl_pid == 123456 &&
		      name.nl_groups == 1u << (GENL_ID_CTRL - 1),
	      "generic: port %u, groups %#x", name.nl_pid, name.nl_groups);
	check(ask_generic(generic), "generic: no answer");
	len = sizeof(shown);
	check(!getsockname(packet, (void *)&shown, &len) && shown.sll_protocol == htons(0x88b5) &&
		      shown.sll_ifindex == all.sll_ifindex,
	      "packet: %#x on %d", shown.sll_protocol, shown.sll_ifindex);
	check(inet_get(packet, SOL_PACKET, PACKET_AUXDATA) == 1, "auxdata");
	sender = inet_socket(AF_PACKET, SOCK_DGRAM, 0);
	all.sll_halen = 6;
	check(sendto(sender, "frame", 5, 0, (void *)&all, sizeof(all)) == 5, "send: %s", strerror(errno));
	p = (struct pollfd){ .fd = packet, .events = POLLIN };
	check(poll(&p, 1, 3000) == 1 && recv(packet, buf, sizeof(buf), 0) == 5 && !strcmp(buf, "frame"), "frame: %s",
	      buf);
	check(!setsockopt(packet, SOL_PACKET, PACKET_DROP_MEMBERSHIP, &promiscuous, sizeof(promiscuous)),
	      "promiscuous");
	len = sizeof(shown);
	check(!getsockname(unbound, (void *)&shown, &len) && !shown.sll_protocol, "unbound");
	test_done();
}
