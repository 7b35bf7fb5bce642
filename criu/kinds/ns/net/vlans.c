// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tables of VLANs of bridges and of their ports, with the options of each VLAN: bridge-vlan(8). A new port, and a new bridge, have the
 * bridge's default one. Whether a bridge uses them is a property of its own (vlan_filtering).
 */
#include <errno.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <string.h>
#include "attributes.h"
#include "base/bits.h"
#include "internal.h"
#include "util/log.h"

/* Newer than some headers. */
enum { VLAN_MCAST_N_GROUPS = 7, VLAN_MCAST_MAX_GROUPS = 8, VLAN_NEIGH_SUPPRESS = 9 };

/* What a new VLAN has. */
#define NEW_STATE BR_STATE_FORWARDING
#define NEW_ROUTER 1 /* MDB_RTR_TYPE_TEMP_QUERY */

/* Of which the number of groups is only reported, and statistics only if they are asked for. */
#define KNOWN                                                                                              \
	(BIT(BRIDGE_VLANDB_ENTRY_INFO) | BIT(BRIDGE_VLANDB_ENTRY_RANGE) | BIT(BRIDGE_VLANDB_ENTRY_STATE) | \
	 BIT(BRIDGE_VLANDB_ENTRY_TUNNEL_INFO) | BIT(BRIDGE_VLANDB_ENTRY_STATS) |                           \
	 BIT(BRIDGE_VLANDB_ENTRY_MCAST_ROUTER) | BIT(VLAN_MCAST_N_GROUPS) | BIT(VLAN_MCAST_MAX_GROUPS) |   \
	 BIT(VLAN_NEIGH_SUPPRESS))

static const struct nlattr *info_of_bridge(const NetDeviceEntry *entry, int type)
{
	if (entry->type != ND_TYPE__BRIDGE)
		return NULL;
	return netlink_nested(netlink_nested(net_find_attribute(entry, IFLA_LINKINFO), IFLA_INFO_DATA), type);
}

bool net_has_vlan_tables(const NetDeviceEntry *entry)
{
	return info_of_bridge(entry, IFLA_BR_VLAN_DEFAULT_PVID) != NULL;
}

bool net_filters_vlans(const NetDeviceEntry *entry)
{
	return net_flag_is_set(info_of_bridge(entry, IFLA_BR_VLAN_FILTERING));
}

/* ---- dump ---- */

struct listing {
	struct buf *to;
	uint32_t device; /* that has an entry which cannot be saved; 0: none */
	int unknown;
};

static void see_entry(struct listing *l, uint32_t device, const struct nlattr *entry)
{
	const struct nlattr *attr;
	int left;

	nla_for_each_nested(attr, (struct nlattr *)entry, left)
	{
		if (nla_type(attr) < 64 && (KNOWN & BIT(nla_type(attr))))
			continue;
		l->device = device;
		l->unknown = nla_type(attr);
	}
}

static int keep(struct nlmsghdr *message, void *arg)
{
	const struct br_vlan_msg *head = nlmsg_data(message);
	struct listing *l = arg;
	const struct nlattr *attr;
	int left;

	nlmsg_for_each_attr(attr, message, (int)sizeof(*head), left) if (nla_type(attr) == BRIDGE_VLANDB_ENTRY)
		see_entry(l, head->ifindex, attr);
	return route_keep(l->to, message);
}

static int list(struct nl_sock *route, struct listing *l)
{
	const struct br_vlan_msg head = { .family = AF_BRIDGE };

	return route_list(route, &(struct route_query){ RTM_GETVLAN, &head, sizeof(head), keep, l });
}

int net_vlans_list(struct dump *dump, const struct ns *ns, struct nl_sock *route, const struct net_found *found,
		   struct buf *to)
{
	struct listing listing = { .to = to };
	const struct dump_task *task = ns->member ? dump_task_of(ns->member) : NULL;
	int err = found->vlan_tables ? list(route, &listing) : 0;

	if (err && err != -EOPNOTSUPP)
		return fail(err, "list the VLANs of bridges (rtnetlink, RTM_GETVLAN)");
	if (err && found->filters_vlans)
		dump_blocker(
			dump, task, -1,
			"network namespace %u: a bridge filters VLANs, which only Linux 5.6 and later lists with all their "
			"options: switch it off (ip link set DEVICE type bridge vlan_filtering 0)",
			ns->id);
	if (listing.device)
		dump_blocker(dump, task, -1,
			     "network namespace %u: a VLAN of device %u (bridge vlan show) has an unknown option "
			     "(BRIDGE_VLANDB_ENTRY, number %d): delete it (bridge vlan del)",
			     ns->id, listing.device, listing.unknown);
	return 0;
}

/* ---- restore ---- */

static bool differs(const struct nlattr *attr, uint32_t from)
{
	if (nla_len(attr) == 1)
		return nla_get_u8((struct nlattr *)attr) != from;
	return nla_len(attr) >= (int)sizeof(uint32_t) && nla_get_u32((struct nlattr *)attr) != from;
}

/* The kernel refuses some of those that cannot be set where they have not been set. */
static void add_option(struct route_batch *b, const struct nlattr *attr, uint32_t of_new)
{
	if (differs(attr, of_new))
		route_attrs(b, attr, NLA_ALIGN(attr->nla_len));
}

static void add_tunnel(struct route_batch *b, const struct nlattr *attr)
{
	const struct nlattr *id = netlink_nested(attr, BRIDGE_VLANDB_TINFO_ID);
	struct nlattr *nest;

	if (!id || nla_len(id) != sizeof(uint32_t))
		return;
	nest = route_nest(b, BRIDGE_VLANDB_ENTRY_TUNNEL_INFO);
	route_attr_u32(b, BRIDGE_VLANDB_TINFO_ID, nla_get_u32((struct nlattr *)id));
	route_attr_u32(b, BRIDGE_VLANDB_TINFO_CMD, RTM_SETLINK);
	route_nest_end(b, nest);
}

static void add_attribute(struct route_batch *b, const struct nlattr *attr)
{
	switch (nla_type(attr)) {
	case BRIDGE_VLANDB_ENTRY_STATE:
		return add_option(b, attr, NEW_STATE);
	case BRIDGE_VLANDB_ENTRY_MCAST_ROUTER:
		return add_option(b, attr, NEW_ROUTER);
	case VLAN_MCAST_MAX_GROUPS:
	case VLAN_NEIGH_SUPPRESS:
		return add_option(b, attr, 0);
	case BRIDGE_VLANDB_ENTRY_TUNNEL_INFO:
		return add_tunnel(b, attr);
	}
}

/* A VLAN, or a range of them: -EBADMSG */
static int add_entry(struct route_batch *b, const struct nlattr *entry, bool removed)
{
	const struct nlattr *saved = netlink_nested(entry, BRIDGE_VLANDB_ENTRY_INFO), *attr;
	const struct nlattr *range = netlink_nested(entry, BRIDGE_VLANDB_ENTRY_RANGE);
	struct bridge_vlan_info info;
	struct nlattr *nest;
	int left;

	if (!saved || nla_len(saved) < (int)sizeof(info) || (range && nla_len(range) != sizeof(uint16_t)))
		return -EBADMSG;
	memcpy(&info, nla_data(saved), sizeof(info));
	info.flags = removed ? 0 : info.flags & (BRIDGE_VLAN_INFO_PVID | BRIDGE_VLAN_INFO_UNTAGGED);
	nest = route_nest(b, BRIDGE_VLANDB_ENTRY);
	route_attr(b, BRIDGE_VLANDB_ENTRY_INFO, &info, sizeof(info));
	if (range)
		route_attr(b, BRIDGE_VLANDB_ENTRY_RANGE, nla_data(range), sizeof(uint16_t));
	if (!removed)
		nla_for_each_nested(attr, (struct nlattr *)entry, left) add_attribute(b, attr);
	route_nest_end(b, nest);
	return 0;
}

static int request(struct route_batch *b, const struct nlmsghdr *message, bool removed)
{
	const struct br_vlan_msg *saved = nlmsg_data(message);
	const struct br_vlan_msg head = { .family = AF_BRIDGE, .ifindex = saved->ifindex };
	const struct nlattr *attr;
	int left, err = 0;

	/* The kernel refuses a request without entries. */
	if (!nlmsg_find_attr((struct nlmsghdr *)message, sizeof(head), BRIDGE_VLANDB_ENTRY))
		return 0;
	route_message(b, removed ? RTM_DELVLAN : RTM_NEWVLAN, 0, &head, sizeof(head));
	nlmsg_for_each_attr(attr, (struct nlmsghdr *)message, (int)sizeof(head),
			    left) if (!err && nla_type(attr) == BRIDGE_VLANDB_ENTRY) err = add_entry(b, attr, removed);
	route_message_end(b);
	return err;
}

int net_vlans_add(const struct nlmsghdr *message, void *batch)
{
	return request(batch, message, false);
}

static int remove_one(const struct nlmsghdr *message, void *batch)
{
	return request(batch, message, true);
}

/* What the new bridges have got by default is removed first. */
static int replace(const struct net_state *state, const struct buf *now)
{
	_cleanup_route_batch_ struct route_batch b = { .err = 0 };
	int err = net_messages_each(&(struct net_messages){ now->data, now->len }, remove_one, &b);

	if (!err)
		err = net_messages_each(&state->lists[NET_VLANS], net_vlans_add, &b);
	if (err)
		return fail(err, "VLANs of bridges");
	return b.nr ? route_batch_run(&b, state->route, net_failed, (void *)"restore the VLANs of a bridge or a port") :
		      0;
}

int net_vlans_fill(const struct net_state *state)
{
	_cleanup_buf_ struct buf now = { 0 };
	struct listing listing = { .to = &now };
	bool tables = false, used = false;
	int err;

	for (size_t i = 0; i < state->nr_devices; i++) {
		tables |= net_has_vlan_tables(state->devices[i].entry);
		used |= net_filters_vlans(state->devices[i].entry);
	}
	/* Images of a kernel without them, or of CRIU: the default remains. */
	if (!tables || state->absent[NET_VLANS])
		return 0;
	err = list(state->route, &listing);
	if (err == -EOPNOTSUPP && !used) {
		log_info("the VLANs of bridges are not restored: this kernel has none, and no bridge filters them");
		return 0;
	}
	return err ? fail(err, "list the VLANs of bridges (rtnetlink, RTM_GETVLAN)") : replace(state, &now);
}
