// SPDX-License-Identifier: GPL-2.0-only
/*
 * Bonds: several devices as one. The kernel reports all properties, whatever the mode is, but refuses those that have no effect in it,
 * even with the value they have. Documentation/networking/bonding.rst
 */
#include "bonds.h"
#include <linux/if_bonding.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <string.h>
#include "attributes.h"
#include "base/bits.h"
#include "util/str.h"

/* Newer than some headers. */
enum {
	BOND_PEER_NOTIF_DELAY = 28,
	BOND_LACP_ACTIVE = 29,
	BOND_MISSED = 30,
	BOND_COUPLED = 32,
	BOND_BROADCAST_NEIGH = 33
};
enum { PORT_PRIO = 9, PORT_ACTOR_PRIO = 10 };
#define ACTOR_PRIO_OF_NEW 255

#define MODE(name) (1u << BOND_MODE_##name)
#define ALL_MODES (2 * MODE(ALB) - 1)
#define ONE_IS_ACTIVE (MODE(ACTIVEBACKUP) | MODE(TLB) | MODE(ALB))
#define PROBES_BY_ARP (ALL_MODES & ~(MODE(8023AD) | MODE(TLB) | MODE(ALB)))

/* The modes that have them, if not all. */
static const unsigned char modes_of[BOND_LAST_SETTING + 1] = {
	[IFLA_BOND_ARP_INTERVAL] = PROBES_BY_ARP,
	[IFLA_BOND_ARP_VALIDATE] = PROBES_BY_ARP,
	[BOND_MISSED] = PROBES_BY_ARP,
	[IFLA_BOND_PACKETS_PER_SLAVE] = MODE(ROUNDROBIN),
	[IFLA_BOND_AD_LACP_RATE] = MODE(8023AD),
	[BOND_LACP_ACTIVE] = MODE(8023AD),
	[IFLA_BOND_AD_ACTOR_SYS_PRIO] = MODE(8023AD),
	[IFLA_BOND_AD_USER_PORT_KEY] = MODE(8023AD),
	[IFLA_BOND_AD_ACTOR_SYSTEM] = MODE(8023AD),
	[BOND_COUPLED] = MODE(8023AD),
	[BOND_BROADCAST_NEIGH] = MODE(8023AD),
	[IFLA_BOND_TLB_DYNAMIC_LB] = MODE(TLB) | MODE(ALB),
	[IFLA_BOND_PRIMARY] = ONE_IS_ACTIVE,
	[IFLA_BOND_ACTIVE_SLAVE] = ONE_IS_ACTIVE,
};

static uint32_t number(const struct nlattr *attr)
{
	uint32_t value = 0;

	if (attr && nla_len(attr) > 0)
		memcpy(&value, nla_data(attr), MIN_OF((size_t)nla_len(attr), sizeof(value)));
	return value;
}

static bool is_zero(const struct nlattr *attr)
{
	const char *bytes = nla_data(attr);

	for (int i = 0; i < nla_len(attr); i++)
		if (bytes[i])
			return false;
	return true;
}

static bool is_of_mode(const struct nlattr *data, int type)
{
	const uint32_t mode = number(netlink_nested(data, IFLA_BOND_MODE));

	return type > BOND_LAST_SETTING || !modes_of[type] || (mode < 8 && (modes_of[type] & 1u << mode));
}

bool bond_add_special(struct route_batch *b, const struct nlattr *data, const struct nlattr *attr)
{
	const int type = nla_type(attr);

	if (!is_of_mode(data, type))
		return true;
	switch (type) {
	/* Of ports, which there are none of yet. */
	case IFLA_BOND_PRIMARY:
	case IFLA_BOND_ACTIVE_SLAVE:
		return true;
	/* Refused without a monitor of links. */
	case IFLA_BOND_UPDELAY:
	case IFLA_BOND_DOWNDELAY:
	case BOND_PEER_NOTIF_DELAY:
		return !number(netlink_nested(data, IFLA_BOND_MIIMON));
	/* None; the kernel does not take that. */
	case IFLA_BOND_AD_ACTOR_SYSTEM:
		return is_zero(attr);
	/* A new one has it on, and may not have it off in this mode (before Linux 5.0). */
	case IFLA_BOND_TLB_DYNAMIC_LB:
		return number(netlink_nested(data, IFLA_BOND_MODE)) == BOND_MODE_ALB && number(attr);
	}
	return false;
}

static const struct nlattr *info_of(const NetDeviceEntry *entry, int type)
{
	return netlink_nested(net_find_attribute(entry, IFLA_LINKINFO), type);
}

/* ---- ports ---- */

bool bond_has_port(const NetDeviceEntry *entry)
{
	const struct nlattr *kind = info_of(entry, IFLA_INFO_SLAVE_KIND);

	return kind && nla_len(kind) == sizeof("bond") && !memcmp(nla_data(kind), "bond", sizeof("bond"));
}

/* Those that a mode does not have are what they are in a new port. */
void bond_add_port(struct route_batch *b, const struct nlattr *attr)
{
	switch (nla_type(attr)) {
	case IFLA_BOND_SLAVE_QUEUE_ID:
	case PORT_PRIO:
		if (number(attr))
			route_attrs(b, attr, NLA_ALIGN(attr->nla_len));
		return;
	case PORT_ACTOR_PRIO:
		if (number(attr) != ACTOR_PRIO_OF_NEW)
			route_attrs(b, attr, NLA_ALIGN(attr->nla_len));
	}
}

const struct nlattr *bond_address_of_port(const NetDeviceEntry *entry)
{
	const struct nlattr *address = bond_has_port(entry) ? netlink_nested(info_of(entry, IFLA_INFO_SLAVE_DATA),
									     IFLA_BOND_SLAVE_PERM_HWADDR) :
							      NULL;

	return address && nla_len(address) > 0 && nla_len(address) <= 32 ? address : NULL;
}

static void set_port(struct route_batch *b, const NetDeviceEntry *entry, int type)
{
	const struct nlattr *data = info_of(entry, IFLA_INFO_DATA), *port = netlink_nested(data, type);
	const struct ifinfomsg head = { .ifi_index = (int)entry->ifindex };
	struct nlattr *info, *nest;

	if (entry->type != ND_TYPE__EXTLINK || !entry->kind || !str_eq(entry->kind, "bond") || !number(port) ||
	    !is_of_mode(data, type))
		return;
	route_message(b, RTM_NEWLINK, 0, &head, sizeof(head));
	info = route_nest(b, IFLA_LINKINFO);
	route_attr_str(b, IFLA_INFO_KIND, "bond");
	nest = route_nest(b, IFLA_INFO_DATA);
	route_attr_u32(b, type, number(port));
	route_nest_end(b, nest);
	route_nest_end(b, info);
	route_message_end(b);
}

void bond_set_primary(struct route_batch *b, const NetDeviceEntry *entry)
{
	set_port(b, entry, IFLA_BOND_PRIMARY);
}

void bond_set_active(struct route_batch *b, const NetDeviceEntry *entry)
{
	set_port(b, entry, IFLA_BOND_ACTIVE_SLAVE);
}
