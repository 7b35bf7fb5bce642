// SPDX-License-Identifier: GPL-2.0-only
#include "attributes.h"
#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <netlink/msg.h>
#include "base/bits.h"

/* Newer than our headers. */
enum { GRO_MAX_SIZE = 58, GSO_IPV4_MAX_SIZE = 63, GRO_IPV4_MAX_SIZE = 64 };

static const unsigned short kept[] = {
	IFLA_TXQLEN,	   IFLA_LINKMODE, IFLA_IFALIAS,	      IFLA_GROUP,	  IFLA_PROTO_DOWN, IFLA_GSO_MAX_SEGS,
	IFLA_GSO_MAX_SIZE, GRO_MAX_SIZE,  GSO_IPV4_MAX_SIZE,  GRO_IPV4_MAX_SIZE,  IFLA_BROADCAST,  IFLA_PROP_LIST,
	IFLA_AF_SPEC,	   IFLA_LINKINFO, IFLA_NUM_TX_QUEUES, IFLA_NUM_RX_QUEUES,
};

bool net_attribute_is_kept(int type)
{
	for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
		if (kept[i] == type)
			return true;
	return false;
}

const struct nlattr *net_find_attribute(const NetDeviceEntry *entry, int type)
{
	return nla_find((struct nlattr *)entry->attributes.data, (int)entry->attributes.len, type);
}

bool net_flag_is_set(const struct nlattr *attr)
{
	return attr && nla_len(attr) >= 1 && nla_get_u8((struct nlattr *)attr);
}

struct conf_array net_array_in(const struct nlattr *spec, int family)
{
	const struct nlattr *array = family == CONF_IPV4 ?
					     netlink_nested(netlink_nested(spec, AF_INET), IFLA_INET_CONF) :
					     netlink_nested(netlink_nested(spec, AF_INET6), IFLA_INET6_CONF);

	if (!array)
		return (struct conf_array){ NULL, 0 };
	return (struct conf_array){ nla_data(array), (size_t)nla_len(array) / sizeof(int32_t) };
}

struct conf_array net_saved_array(const NetDeviceEntry *entry, int family)
{
	return net_array_in(net_find_attribute(entry, IFLA_AF_SPEC), family);
}

int net_attributes_check(const void *attributes, size_t len)
{
	const struct nlattr *attr;
	int left;

	/* Each is copied with its padding. */
	if (len % NLA_ALIGNTO)
		return -EBADMSG;
	nla_for_each_attr(attr, (struct nlattr *)attributes, (int)len, left)
	{
		if (!net_attribute_is_kept(nla_type(attr)) || nla_len(attr) < 1)
			return -EBADMSG;
	}
	return left > 0 ? -EBADMSG : 0;
}
