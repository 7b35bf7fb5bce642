// SPDX-License-Identifier: GPL-2.0-only
/* Messages in which the kernel lists objects, made such that they can be compared, and sent back. */
#include <linux/neighbour.h>
#include <linux/nexthop.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <string.h>
#include "base/bits.h"
#include "internal.h"

#define USER_HZ 100

/* What the kernel reports of a device's state, and refuses to be told. */
#define NEXTHOP_STATE ((unsigned)(RTNH_F_DEAD | RTNH_F_LINKDOWN | RTNH_F_OFFLOAD | RTNH_F_UNRESOLVED | RTNH_F_TRAP))

static void clear_state_of_hops(struct nlattr *hops)
{
	struct rtnexthop *hop = nla_data(hops);
	int left = nla_len(hops);

	while (left >= (int)sizeof(*hop) && hop->rtnh_len >= sizeof(*hop) && hop->rtnh_len <= left) {
		hop->rtnh_flags &= (unsigned char)~NEXTHOP_STATE;
		left -= NLA_ALIGN(hop->rtnh_len);
		hop = (void *)((char *)hop + NLA_ALIGN(hop->rtnh_len));
	}
}

/* Answers have them, requests must not. */
enum { NHA_RES_GROUP_ = 12, NHA_OP_FLAGS_ = 14, NHA_GROUP_STATS_ = 15, NHA_HW_STATS_USED_ = 17 };
enum { UNBALANCED_TIME = 4 };

/* As in linux/neighbour.h since Linux 5.16 */
enum { NDA_FLAGS_EXT_ = 15, NTF_EXT_MANAGED_ = 1 };

static void remove_attribute(struct nlmsghdr *message, int header, int type)
{
	struct nlattr *attr = nlmsg_find_attr(message, header, type);
	size_t len = attr ? NLA_ALIGN(attr->nla_len) : 0;
	char *end = (char *)message + message->nlmsg_len;

	if (!attr)
		return;
	/* The last one need not be padded. */
	len = MIN_OF(len, (size_t)(end - (char *)attr));
	memmove(attr, (char *)attr + len, (size_t)(end - (char *)attr) - len);
	message->nlmsg_len -= len;
}

/*
 * The remaining lifetime is reported in RTA_CACHEINFO, in ticks, and set by RTA_EXPIRES, in seconds. The latter, which is
 * shorter, takes the place of the former, as the last attribute.
 */
static void set_lifetime(struct nlmsghdr *message)
{
	const struct rtmsg *rtm = nlmsg_data(message);
	const struct nlattr *attr = nlmsg_find_attr(message, sizeof(*rtm), RTA_CACHEINFO);
	const struct nlattr head = { .nla_len = NLA_HDRLEN + sizeof(uint32_t), .nla_type = RTA_EXPIRES };
	struct rta_cacheinfo info;
	uint32_t seconds;
	char *end;

	if (!attr || (size_t)nla_len(attr) < sizeof(info))
		return;
	memcpy(&info, nla_data(attr), sizeof(info));
	remove_attribute(message, sizeof(*rtm), RTA_CACHEINFO);
	if (!info.rta_expires || rtm->rtm_family != AF_INET6)
		return;
	/* 0 would be forever; it may have expired. */
	seconds = info.rta_expires < USER_HZ ? 1 : (uint32_t)(info.rta_expires / USER_HZ);
	end = (char *)message + NLMSG_ALIGN(message->nlmsg_len);
	memcpy(end, &head, sizeof(head));
	memcpy(end + NLA_HDRLEN, &seconds, sizeof(seconds));
	message->nlmsg_len = (uint32_t)(end - (char *)message) + head.nla_len;
}

static bool has_lifetime(const struct nlmsghdr *message)
{
	return message->nlmsg_type == RTM_NEWROUTE &&
	       nlmsg_find_attr((struct nlmsghdr *)message, sizeof(struct rtmsg), RTA_EXPIRES);
}

static void clean_route(struct nlmsghdr *message)
{
	/* What a nexthop object stands for is listed, too. */
	static const int of_nexthop[] = { RTA_OIF, RTA_GATEWAY, RTA_MULTIPATH, RTA_VIA, RTA_ENCAP, RTA_ENCAP_TYPE };
	struct rtmsg *rtm = nlmsg_data(message);
	struct nlattr *attr;

	rtm->rtm_flags &= ~NEXTHOP_STATE;
	for (size_t i = 0; i < ARRAY_SIZE(of_nexthop) && nlmsg_find_attr(message, sizeof(*rtm), RTA_NH_ID); i++)
		remove_attribute(message, sizeof(*rtm), of_nexthop[i]);
	attr = nlmsg_find_attr(message, sizeof(*rtm), RTA_MULTIPATH);
	if (attr)
		clear_state_of_hops(attr);
	set_lifetime(message);
}

/* For how long a resilient group has been unbalanced; requests must not have it. It is the last one of its group. */
static void remove_unbalanced_time(struct nlmsghdr *message, struct nlattr *group)
{
	const struct nlattr *time = nla_find(nla_data(group), nla_len(group), UNBALANCED_TIME);
	char *end = (char *)group + NLA_ALIGN(group->nla_len), *message_end = (char *)message + message->nlmsg_len;
	char *to = (char *)time;

	if (!time || (char *)time + NLA_ALIGN(time->nla_len) != end || end > message_end)
		return;
	group->nla_len = (uint16_t)(to - (char *)group);
	memmove(to, end, (size_t)(message_end - end));
	message->nlmsg_len -= (uint32_t)(end - to);
}

static void clean_nexthop(struct nlmsghdr *message)
{
	struct nhmsg *nhm = nlmsg_data(message);
	struct nlattr *attr = nlmsg_find_attr(message, sizeof(*nhm), NHA_ENCAP);

	/* The kernel lists it without the flag, and demands the flag. */
	if (attr)
		attr->nla_type |= NLA_F_NESTED;
	attr = nlmsg_find_attr(message, sizeof(*nhm), NHA_RES_GROUP_);
	if (attr)
		remove_unbalanced_time(message, attr);
	nhm->nh_flags &= ~NEXTHOP_STATE;
	nhm->nh_scope = 0;
	remove_attribute(message, sizeof(*nhm), NHA_OP_FLAGS_);
	remove_attribute(message, sizeof(*nhm), NHA_GROUP_STATS_);
	remove_attribute(message, sizeof(*nhm), NHA_HW_STATS_USED_);
}

bool net_neighbour_is_managed(struct nlmsghdr *message)
{
	const struct nlattr *flags = nlmsg_find_attr(message, sizeof(struct ndmsg), NDA_FLAGS_EXT_);

	return flags && nla_len(flags) == sizeof(uint32_t) && (nla_get_u32(flags) & NTF_EXT_MANAGED_);
}

/* The kernel looks for a managed neighbour all the time: what it had found by then may be outdated. */
static void clean_neighbour(struct nlmsghdr *message)
{
	struct ndmsg *ndm = nlmsg_data(message);

	/* As such it would wait for an answer to a question that nobody has sent. */
	if (ndm->ndm_state & NUD_INCOMPLETE)
		ndm->ndm_state = NUD_NONE;
	if (!net_neighbour_is_managed(message))
		return;
	ndm->ndm_state = NUD_NONE;
	remove_attribute(message, sizeof(*ndm), NDA_LLADDR);
}

void net_message_clean(struct nlmsghdr *message)
{
	if (message->nlmsg_type == RTM_NEWROUTE)
		clean_route(message);
	else if (message->nlmsg_type == RTM_NEWNEXTHOP)
		clean_nexthop(message);
	else if (message->nlmsg_type == RTM_NEWNEIGH)
		clean_neighbour(message);
}

bool net_message_is_same(const struct nlmsghdr *a, const struct nlmsghdr *b)
{
	size_t len = a->nlmsg_len - sizeof(*a);

	if (a->nlmsg_len != b->nlmsg_len || has_lifetime(a) != has_lifetime(b))
		return false;
	return !memcmp(a + 1, b + 1, has_lifetime(a) ? len - sizeof(uint32_t) : len);
}
