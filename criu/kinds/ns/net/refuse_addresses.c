// SPDX-License-Identifier: GPL-2.0-only
/*
 * Temporary IPv6 addresses (privacy extensions): the kernel creates them from an address of a router's prefix, at random, and
 * renews them. No request can create a particular one, and as an ordinary address it would neither expire like that nor be
 * preferred for connections.
 */
#include <arpa/inet.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include "internal.h"

static void refuse_temporary(struct dump *dump, const struct ns *ns, struct nlmsghdr *message)
{
	const struct ifaddrmsg *ifa = nlmsg_data(message);
	const struct nlattr *address = nlmsg_find_attr(message, sizeof(*ifa), IFA_ADDRESS);
	char text[INET6_ADDRSTRLEN] = "?";

	if (ifa->ifa_family != AF_INET6 || !(ifa->ifa_flags & IFA_F_TEMPORARY))
		return;
	if (address && nla_len(address) == 16)
		inet_ntop(AF_INET6, nla_data(address), text, sizeof(text));
	dump_blocker(
		dump, ns->member ? dump_task_of(ns->member) : NULL, -1,
		"network namespace %u: device %u has the temporary IPv6 address %s, which cannot be restored as such: set sysctl "
		"net/ipv6/conf/DEVICE/use_tempaddr to 0, and delete it (ip address del)",
		ns->id, ifa->ifa_index, text);
}

void net_refuse_addresses(struct dump *dump, const struct ns *ns, const struct buf *addresses)
{
	struct nlmsghdr *message = (struct nlmsghdr *)addresses->data;
	int left = (int)addresses->len;

	for (; nlmsg_ok(message, left); message = nlmsg_next(message, &left))
		refuse_temporary(dump, ns, message);
}
