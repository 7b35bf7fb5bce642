// SPDX-License-Identifier: GPL-2.0-only
#include "device_kinds.h"
#include <errno.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include "attributes.h"
#include "base/bits.h"
#include "bonds.h"
#include "util/log.h"
#include "util/str.h"

/* include/uapi/linux/if_link.h; some are newer than our headers */
#define MACVLAN_READ_ONLY (BIT(IFLA_MACVLAN_MACADDR_COUNT) | BIT(IFLA_MACVLAN_BC_QUEUE_LEN_USED))
#define MACVLAN_BC_CUTOFF 9
#define BR_MCAST_QUERIER_STATE 47
#define BR_FDB_N_LEARNED 48
#define BR_FDB_MAX_LEARNED 49
#define BRIDGE_READ_ONLY                                                                                        \
	(BIT(IFLA_BR_ROOT_ID) | BIT(IFLA_BR_BRIDGE_ID) | BIT(IFLA_BR_ROOT_PORT) | BIT(IFLA_BR_ROOT_PATH_COST) | \
	 BIT(IFLA_BR_TOPOLOGY_CHANGE) | BIT(IFLA_BR_TOPOLOGY_CHANGE_DETECTED) | BIT(IFLA_BR_HELLO_TIMER) |      \
	 BIT(IFLA_BR_TCN_TIMER) | BIT(IFLA_BR_TOPOLOGY_CHANGE_TIMER) | BIT(IFLA_BR_GC_TIMER) |                  \
	 BIT(IFLA_BR_FDB_FLUSH) | BIT(BR_MCAST_QUERIER_STATE) | BIT(BR_FDB_N_LEARNED))

#define BITS_UP_TO(n) (BIT((n) + 1) - 2) /* from 1 on */
/* What may be set. Attributes that are not known here could act outside of the namespace, as VETH_INFO_PEER does. */
#define MACVLAN_SETTINGS BITS_UP_TO(MACVLAN_BC_CUTOFF)
#define BRIDGE_SETTINGS BITS_UP_TO(BR_FDB_MAX_LEARNED)

/* Of a port of a bridge. Its state is set later: stp.c */
#define BRPORT_MCAST_EHT_HOSTS_CNT 38
#define BRPORT_MCAST_N_GROUPS 41
#define BRPORT_READ_ONLY                                                                                           \
	(BIT(IFLA_BRPORT_STATE) | BIT(IFLA_BRPORT_ROOT_ID) | BIT(IFLA_BRPORT_BRIDGE_ID) |                          \
	 BIT(IFLA_BRPORT_DESIGNATED_PORT) | BIT(IFLA_BRPORT_DESIGNATED_COST) | BIT(IFLA_BRPORT_ID) |               \
	 BIT(IFLA_BRPORT_NO) | BIT(IFLA_BRPORT_TOPOLOGY_CHANGE_ACK) | BIT(IFLA_BRPORT_CONFIG_PENDING) |            \
	 BIT(IFLA_BRPORT_MESSAGE_AGE_TIMER) | BIT(IFLA_BRPORT_FORWARD_DELAY_TIMER) | BIT(IFLA_BRPORT_HOLD_TIMER) | \
	 BIT(IFLA_BRPORT_FLUSH) | BIT(BRPORT_MCAST_EHT_HOSTS_CNT) | BIT(BRPORT_MCAST_N_GROUPS))

/* if_tunnel.h, if_link.h; of newer kernels, too */
#define VLAN_SETTINGS BITS_UP_TO(5)
#define IPVLAN_SETTINGS BITS_UP_TO(2)
#define VRF_SETTINGS BITS_UP_TO(1)
#define TUNNEL_SETTINGS BITS_UP_TO(20)
#define GRE_SETTINGS BITS_UP_TO(24)
#define VTI_SETTINGS BITS_UP_TO(6)
#define GENEVE_SETTINGS BITS_UP_TO(15)
/* Not: the table of its VNIs (IFLA_VXLAN_VNIFILTER). */
#define VXLAN_SETTINGS (BITS_UP_TO(34) & ~BIT(30))
#define VXLAN_TTL_INHERIT 28

/* All options are listed, but those that this kernel lacks cannot even be switched off. */
static void add_bridge_options(struct route_batch *b, const struct nlattr *attr)
{
	struct br_boolopt_multi options;

	if (nla_len(attr) < (int)sizeof(options))
		return;
	memcpy(&options, nla_data(attr), sizeof(options));
	options.optmask = options.optval;
	if (options.optval)
		route_attr(b, IFLA_BR_MULTI_BOOLOPT, &options, sizeof(options));
}

static bool add_of_bridge(struct route_batch *b, const struct nlattr *data, const struct nlattr *attr)
{
	if (nla_type(attr) == IFLA_BR_MULTI_BOOLOPT)
		return add_bridge_options(b, attr), true;
	/* When its ports are up: stp.c */
	if (nla_type(attr) == IFLA_BR_STP_STATE)
		return true;
	return nla_type(attr) == IFLA_BR_VLAN_FILTERING && !net_flag_is_set(attr);
}

static bool add_of_vxlan(struct route_batch *b, const struct nlattr *data, const struct nlattr *attr)
{
	/* Their being there reserves bits of the header. */
	if (nla_type(attr) == IFLA_VXLAN_REMCSUM_TX || nla_type(attr) == IFLA_VXLAN_REMCSUM_RX)
		return !net_flag_is_set(attr);
	/* Reported as a number, set as a flag. */
	if (nla_type(attr) != VXLAN_TTL_INHERIT)
		return false;
	if (net_flag_is_set(attr))
		route_attr(b, VXLAN_TTL_INHERIT, NULL, 0);
	return true;
}

/* The kinds from "bond" on have not been tried on a kernel that has them. */
static const struct device_kind kinds[] = {
	{ .name = "", .type = ND_TYPE__LOOPBACK, .exists = true },
	{ .name = "veth", .type = ND_TYPE__VETH, .may_lead_out = true },
	{ .name = "bridge",
	  .type = ND_TYPE__BRIDGE,
	  .read_only = BRIDGE_READ_ONLY,
	  .settings = BRIDGE_SETTINGS,
	  .has_ports = true,
	  .add_special = add_of_bridge },
	{ .name = "macvlan",
	  .type = ND_TYPE__MACVLAN,
	  .may_lead_out = true,
	  .needs_link = true,
	  .read_only = MACVLAN_READ_ONLY,
	  .settings = MACVLAN_SETTINGS },
	{ .name = "macvtap",
	  .type = ND_TYPE__EXTLINK,
	  .needs_link = true,
	  .read_only = MACVLAN_READ_ONLY,
	  .settings = MACVLAN_SETTINGS },
	{ .name = "tun", .type = ND_TYPE__TUN, .is_made_apart = true },
	{ .name = "ifb", .type = ND_TYPE__EXTLINK },
	{ .name = "vxlan",
	  .type = ND_TYPE__EXTLINK,
	  .may_have_link = true,
	  .link_attr = IFLA_VXLAN_LINK,
	  .settings = VXLAN_SETTINGS,
	  .add_special = add_of_vxlan },
	{ .name = "bond",
	  .type = ND_TYPE__EXTLINK,
	  .has_ports = true,
	  .read_only = BIT(IFLA_BOND_AD_INFO),
	  .settings = BITS_UP_TO(BOND_LAST_SETTING) & ~BIT(IFLA_BOND_AD_INFO),
	  .add_special = bond_add_special },
	{ .name = "dummy", .type = ND_TYPE__EXTLINK },
	{ .name = "vlan", .type = ND_TYPE__EXTLINK, .needs_link = true, .settings = VLAN_SETTINGS },
	{ .name = "ipvlan", .type = ND_TYPE__EXTLINK, .needs_link = true, .settings = IPVLAN_SETTINGS },
	{ .name = "ipvtap", .type = ND_TYPE__EXTLINK, .needs_link = true, .settings = IPVLAN_SETTINGS },
	{ .name = "vrf", .type = ND_TYPE__EXTLINK, .settings = VRF_SETTINGS },
	{ .name = "geneve", .type = ND_TYPE__EXTLINK, .settings = GENEVE_SETTINGS },
	{ .name = "sit", .type = ND_TYPE__SIT, .may_have_link = true, .settings = TUNNEL_SETTINGS },
	{ .name = "ipip", .type = ND_TYPE__EXTLINK, .may_have_link = true, .settings = TUNNEL_SETTINGS },
	{ .name = "ip6tnl", .type = ND_TYPE__EXTLINK, .may_have_link = true, .settings = TUNNEL_SETTINGS },
	{ .name = "gre", .type = ND_TYPE__EXTLINK, .may_have_link = true, .settings = GRE_SETTINGS },
	{ .name = "gretap", .type = ND_TYPE__EXTLINK, .may_have_link = true, .settings = GRE_SETTINGS },
	{ .name = "erspan", .type = ND_TYPE__EXTLINK, .may_have_link = true, .settings = GRE_SETTINGS },
	{ .name = "ip6gre", .type = ND_TYPE__EXTLINK, .may_have_link = true, .settings = GRE_SETTINGS },
	{ .name = "ip6gretap", .type = ND_TYPE__EXTLINK, .may_have_link = true, .settings = GRE_SETTINGS },
	{ .name = "ip6erspan", .type = ND_TYPE__EXTLINK, .may_have_link = true, .settings = GRE_SETTINGS },
	{ .name = "vti", .type = ND_TYPE__EXTLINK, .may_have_link = true, .settings = VTI_SETTINGS },
	{ .name = "vti6", .type = ND_TYPE__EXTLINK, .may_have_link = true, .settings = VTI_SETTINGS },
};

uint32_t device_link_of(const NetDeviceEntry *entry)
{
	const struct device_kind *kind = device_kind_of(entry);
	const struct nlattr *data = netlink_nested(net_find_attribute(entry, IFLA_LINKINFO), IFLA_INFO_DATA);
	const struct nlattr *link = kind && kind->link_attr ? netlink_nested(data, kind->link_attr) : NULL;

	return link && nla_len(link) >= (int)sizeof(uint32_t) ? nla_get_u32((struct nlattr *)link) : 0;
}

bool device_is_fallback(const char *name)
{
	static const char *const names[] = { "sit0",	"tunl0",   "gre0",    "gretap0", "erspan0",
					     "ip_vti0", "ip6tnl0", "ip6gre0", "ip6_vti0" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (str_eq(names[i], name))
			return true;
	return false;
}

const struct device_kind *device_kind_by_name(const char *name)
{
	for (size_t i = 0; *name && i < ARRAY_SIZE(kinds); i++)
		if (str_eq(kinds[i].name, name))
			return &kinds[i];
	return NULL;
}

const struct device_kind *device_kind_by_type(NdType type)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (kinds[i].type == type && type != ND_TYPE__EXTLINK)
			return &kinds[i];
	return NULL;
}

const struct device_kind *device_kind_of(const NetDeviceEntry *entry)
{
	const struct device_kind *kind;

	if (entry->type != ND_TYPE__EXTLINK || !entry->kind)
		return device_kind_by_type(entry->type);
	kind = device_kind_by_name(entry->kind);
	return kind && kind->type == ND_TYPE__EXTLINK ? kind : NULL;
}

int device_save_details(struct dump *dump, const struct nlattr *linkinfo, NetDeviceEntry *entry)
{
	const struct nlattr *data = netlink_nested(linkinfo, IFLA_INFO_DATA);
	const struct nlattr *mode = netlink_nested(data, IFLA_MACVLAN_MODE);

	if (entry->type != ND_TYPE__MACVLAN)
		return 0;
	entry->macvlan = dump_alloc(dump, sizeof(*entry->macvlan));
	if (!entry->macvlan)
		return fail(-ENOMEM, "network devices");
	macvlan_link_entry__init(entry->macvlan);
	entry->macvlan->mode = mode ? nla_get_u32((struct nlattr *)mode) : MACVLAN_MODE_VEPA;
	return 0;
}

static bool is_set(const struct nlattr *attr)
{
	const char *bytes = nla_data(attr);

	for (int i = 0; i < nla_len(attr); i++)
		if (bytes[i])
			return true;
	return !nla_len(attr); /* a flag */
}

static bool is_known(const struct device_kind *kind, int type)
{
	return type < 64 && ((kind->read_only | kind->settings) & BIT(type));
}

int device_unknown_property(const struct device_kind *kind, const struct nlattr *linkinfo)
{
	const struct nlattr *data = netlink_nested(linkinfo, IFLA_INFO_DATA), *attr;
	int left;

	if (!data || kind->is_made_apart)
		return 0;
	nla_for_each_nested(attr, (struct nlattr *)data, left)
	{
		if (!is_known(kind, nla_type(attr)) && is_set(attr))
			return nla_type(attr);
	}
	return 0;
}

static void add_one(struct route_batch *b, const struct device_kind *kind, const struct nlattr *data,
		    const struct nlattr *attr)
{
	if (!is_known(kind, nla_type(attr)) || (kind->read_only & BIT(nla_type(attr))))
		return;
	if (!kind->add_special || !kind->add_special(b, data, attr))
		route_attrs(b, attr, NLA_ALIGN(attr->nla_len));
}

static bool is_macvlan(const struct device_kind *kind)
{
	return str_has_prefix(kind->name, "macv");
}

static void add_data(struct route_batch *b, const struct device_kind *kind, const NetDeviceEntry *entry,
		     const struct nlattr *saved)
{
	struct nlattr *data = route_nest(b, IFLA_INFO_DATA);
	const struct nlattr *attr;
	int left;

	if (saved)
		nla_for_each_nested(attr, (struct nlattr *)saved, left) add_one(b, kind, saved, attr);
	/* The senders that it accepts, all at once. */
	if (is_macvlan(kind) && netlink_nested(saved, IFLA_MACVLAN_MACADDR_DATA))
		route_attr_u32(b, IFLA_MACVLAN_MACADDR_MODE, MACVLAN_MACADDR_SET);
	if (!saved && entry->macvlan)
		route_attr_u32(b, IFLA_MACVLAN_MODE, entry->macvlan->mode);
	route_nest_end(b, data);
}

void device_add_info(struct route_batch *b, const NetDeviceEntry *entry)
{
	const struct device_kind *kind = device_kind_of(entry);
	const struct nlattr *saved = netlink_nested(net_find_attribute(entry, IFLA_LINKINFO), IFLA_INFO_DATA);
	struct nlattr *info = route_nest(b, IFLA_LINKINFO);

	route_attr_str(b, IFLA_INFO_KIND, kind->name);
	if (saved || entry->macvlan)
		add_data(b, kind, entry, saved);
	route_nest_end(b, info);
}

static bool is_port_of_bridge(const NetDeviceEntry *entry)
{
	const struct nlattr *kind = netlink_nested(net_find_attribute(entry, IFLA_LINKINFO), IFLA_INFO_SLAVE_KIND);

	return kind && nla_len(kind) == sizeof("bridge") && !memcmp(nla_data(kind), "bridge", sizeof("bridge"));
}

bool device_has_port(const NetDeviceEntry *entry)
{
	return (is_port_of_bridge(entry) || bond_has_port(entry)) &&
	       netlink_nested(net_find_attribute(entry, IFLA_LINKINFO), IFLA_INFO_SLAVE_DATA);
}

static void add_port_of_bridge(struct route_batch *b, const struct nlattr *attr)
{
	if (nla_type(attr) >= 64 || !(BRPORT_READ_ONLY & BIT(nla_type(attr))))
		route_attrs(b, attr, NLA_ALIGN(attr->nla_len));
}

void device_add_port(struct route_batch *b, const NetDeviceEntry *entry)
{
	const struct nlattr *saved = net_find_attribute(entry, IFLA_LINKINFO), *attr;
	const struct nlattr *kind = netlink_nested(saved, IFLA_INFO_SLAVE_KIND);
	const struct nlattr *data = netlink_nested(saved, IFLA_INFO_SLAVE_DATA);
	void (*add)(struct route_batch *, const struct nlattr *) =
		bond_has_port(entry) ? bond_add_port : add_port_of_bridge;
	struct nlattr *info = route_nest(b, IFLA_LINKINFO), *nest;
	int left;

	route_attrs(b, kind, NLA_ALIGN(kind->nla_len));
	nest = route_nest(b, IFLA_INFO_SLAVE_DATA);
	nla_for_each_nested(attr, (struct nlattr *)data, left) add(b, attr);
	route_nest_end(b, nest);
	route_nest_end(b, info);
}
