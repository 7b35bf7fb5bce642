// SPDX-License-Identifier: GPL-2.0-only
/*
 * Creates the devices of all namespaces, each with its index, name, address and queues: what can be set only then. In the tool,
 * which may also create the other end of a device outside of the tree.
 */
#include <errno.h>
#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <string.h>
#include <unistd.h>
#include "attributes.h"
#include "base/bits.h"
#include "base/cleanup.h"
#include "bonds.h"
#include "device_kinds.h"
#include "kernel/net_ns.h"
#include "util/log.h"

extern unsigned int if_nametoindex(const char *name); /* style: <net/if.h> conflicts with <linux/if.h> */

struct making {
	struct restore *r;
	int outside; /* the tool's own namespace */
	size_t left; /* devices to create */
};

static struct net_state *state_of(const struct net_device *device)
{
	return device->ns->data;
}

static void add_common(struct route_batch *b, const NetDeviceEntry *entry)
{
	static const int at_birth[] = { IFLA_NUM_TX_QUEUES, IFLA_NUM_RX_QUEUES };

	const struct nlattr *before = bond_address_of_port(entry);

	route_attr_str(b, IFLA_IFNAME, entry->name);
	if (before)
		route_attr(b, IFLA_ADDRESS, nla_data(before), (size_t)nla_len(before));
	else if (entry->has_address)
		route_attr(b, IFLA_ADDRESS, entry->address.data, entry->address.len);
	for (size_t i = 0; i < ARRAY_SIZE(at_birth); i++) {
		const struct nlattr *attr = net_find_attribute(entry, at_birth[i]);

		if (attr)
			route_attrs(b, attr, NLA_ALIGN(attr->nla_len));
	}
}

/* A veth pair is created as a whole: the other end is in the tree, or outside of it. */
static void add_pair(struct route_batch *b, const struct making *m, const struct net_device *device)
{
	const struct net_device *peer = device->peer;
	const struct ifinfomsg head = { .ifi_index = peer ? (int)peer->entry->ifindex : 0 };
	struct nlattr *info = route_nest(b, IFLA_LINKINFO), *data, *end;

	route_attr_str(b, IFLA_INFO_KIND, "veth");
	data = route_nest(b, IFLA_INFO_DATA);
	end = route_nest(b, VETH_INFO_PEER);
	route_attrs(b, &head, sizeof(head));
	if (peer)
		add_common(b, peer->entry);
	else
		route_attr_str(b, IFLA_IFNAME, device->outer);
	route_attr_u32(b, IFLA_NET_NS_FD, (uint32_t)(peer ? peer->ns->fd : m->outside));
	route_nest_end(b, end);
	route_nest_end(b, data);
	route_nest_end(b, info);
}

/* The namespace of the device below is known by a number. */
static void add_link(struct route_batch *b, const struct net_device *device)
{
	const NetDeviceEntry *entry = device->entry;
	const NetnsEntry *netns = state_of(device)->entry;

	if (device->kind->needs_link)
		route_attr_u32(b, IFLA_LINK, entry->peer_ifindex);
	for (size_t i = 0; entry->peer_nsid != device->ns->id && i < netns->n_nsids; i++)
		if (netns->nsids[i]->target_ns_id == entry->peer_nsid)
			route_attr_u32(b, IFLA_LINK_NETNSID, (uint32_t)netns->nsids[i]->netnsid_value);
}

static void add_device(struct route_batch *b, const struct making *m, const struct net_device *device)
{
	const struct ifinfomsg head = { .ifi_index = (int)device->entry->ifindex };

	route_message(b, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &head, sizeof(head));
	add_common(b, device->entry);
	if (device->kind->type == ND_TYPE__VETH)
		add_pair(b, m, device);
	else
		device_add_info(b, device->entry);
	if (device->kind->needs_link || device->kind->may_have_link)
		add_link(b, device);
	route_message_end(b);
}

static bool link_exists(const struct net_device *device)
{
	const struct net_state *state = state_of(device);
	const uint32_t link = device_link_of(device->entry);

	for (size_t i = 0; link && i < state->nr_devices; i++)
		if (state->devices[i].entry->ifindex == link)
			return state->devices[i].made;
	return true;
}

static bool is_ready(const struct net_device *device)
{
	const struct net_device *below = device->peer == device ? NULL : device->peer;

	if (device->made || device->outer_parent)
		return false;
	if (device->kind->may_have_link)
		return (!below || below->made) && link_exists(device);
	return !device->kind->needs_link || (below && below->made);
}

struct made {
	struct net_device **v; /* by number of the request */
	size_t n;
};

static const char *reason(const struct net_device *device, int err)
{
	if (err == -EEXIST)
		return ": that index or name is in use";
	if (err == -EOPNOTSUPP && net_filters_vlans(device->entry))
		return ": it filters VLANs, which this kernel's bridges cannot (CONFIG_BRIDGE_VLAN_FILTERING)";
	return "";
}

static int report(void *arg, uint32_t nr, int err, const char *why)
{
	const struct made *made = arg;
	const struct net_device *device = nr < made->n ? made->v[nr] : NULL;

	if (!device)
		return fail(err, "create a network device");
	return fail(err, "create device %s%s%s of network namespace %u%s%s%s", device->entry->name,
		    device->outer ? " and " : "", device->outer ? device->outer : "", device->ns->id,
		    reason(device, err), *why ? ": " : "", why);
}

/* Those of one namespace for which all is there that they need. */
static int make_ready(struct making *m, struct net_state *state)
{
	_cleanup_route_batch_ struct route_batch b = { .err = 0 };
	_cleanup_free_ struct net_device **v = calloc(state->nr_devices + 1, sizeof(struct net_device *));
	struct made made = { v, 0 };

	if (!v)
		return fail(-ENOMEM, "network devices");
	for (size_t i = 0; i < state->nr_devices; i++) {
		struct net_device *device = &state->devices[i];

		if (!is_ready(device))
			continue;
		device->made = true;
		m->left--;
		made.v[made.n++] = device;
		add_device(&b, m, device);
		if (device->kind->type == ND_TYPE__VETH && device->peer && !device->peer->made) {
			device->peer->made = true;
			m->left--;
		}
	}
	return route_batch_run(&b, state->route, report, &made);
}

/* A macvlan on a device of the host is created there, and moves in. */
static int make_on_parent(struct making *m, struct nl_sock *outside, struct net_device *device)
{
	_cleanup_route_batch_ struct route_batch b = { .err = 0 };
	const struct ifinfomsg head = { .ifi_index = (int)device->entry->ifindex };
	const unsigned parent = if_nametoindex(device->outer_parent);
	struct made made = { &device, 1 };

	if (!parent)
		return fail(-ENODEV, "--external macvlan[%s]:%s: there is no device %s", device->entry->name,
			    device->outer_parent, device->outer_parent);
	route_message(&b, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &head, sizeof(head));
	add_common(&b, device->entry);
	device_add_info(&b, device->entry);
	route_attr_u32(&b, IFLA_LINK, parent);
	route_attr_u32(&b, IFLA_NET_NS_FD, (uint32_t)device->ns->fd);
	route_message_end(&b);
	device->made = true;
	m->left--;
	return route_batch_run(&b, outside, report, &made);
}

static int enter_bridge(struct nl_sock *outside, const struct net_device *device)
{
	_cleanup_route_batch_ struct route_batch b = { .err = 0 };
	const unsigned port = if_nametoindex(device->outer), bridge = if_nametoindex(device->bridge);
	const struct ifinfomsg head = { .ifi_index = (int)port, .ifi_flags = IFF_UP, .ifi_change = IFF_UP };

	if (!bridge)
		return fail(-ENODEV, "--external veth[%s]:%s@%s: there is no bridge %s", device->entry->name,
			    device->outer, device->bridge, device->bridge);
	route_message(&b, RTM_SETLINK, 0, &head, sizeof(head));
	route_attr_u32(&b, IFLA_MASTER, bridge);
	route_message_end(&b);
	return route_batch_run(&b, outside, net_failed, "make a device a port of a bridge");
}

static int make_outside(struct making *m, const struct net_state *state)
{
	_cleanup_netlink_ struct nl_sock *outside = NULL;
	int err = 0;

	for (size_t i = 0; !err && i < state->nr_devices; i++) {
		struct net_device *device = &state->devices[i];

		if (!device->outer_parent && !device->bridge)
			continue;
		if (!outside)
			err = route_open(&outside);
		if (err)
			return fail(err, "open a netlink socket");
		err = device->bridge ? enter_bridge(outside, device) : make_on_parent(m, outside, device);
	}
	return err;
}

static int make_all(struct making *m)
{
	struct ns *ns;
	size_t before = 0;
	int err = 0;

	while (!err && m->left != before) {
		before = m->left;
		ns_for_each(ns, &m->r->plan.namespaces, NS_NET)
			if (!err && ns->data)
				err = make_ready(m, ns->data);
	}
	ns_for_each(ns, &m->r->plan.namespaces, NS_NET)
		if (!err && ns->data)
			err = make_outside(m, ns->data);
	if (!err && m->left)
		err = fail(-EBADMSG, "%zu network devices depend on devices that are not in the images", m->left);
	return err;
}

int net_devices_make(struct restore *r)
{
	struct making making = { .r = r, .outside = -1 };
	struct ns *ns;
	int err;

	ns_for_each(ns, &r->plan.namespaces, NS_NET) {
		struct net_state *state = ns->data;

		for (size_t i = 0; state && i < state->nr_devices; i++) {
			struct net_device *device = &state->devices[i];

			device->made |= device->kind->exists || device->kind->is_made_apart;
			making.left += !device->made;
		}
	}
	if (!making.left)
		return 0;
	making.outside = net_ns_open_own();
	if (making.outside < 0)
		return fail(making.outside, "open the tool's network namespace");
	err = make_all(&making);
	close(making.outside);
	return err;
}
