// SPDX-License-Identifier: GPL-2.0-only
/*
 * Spanning trees of bridges, and the states of ports. With a spanning tree, a port that goes up forwards nothing for twice the
 * bridge's delay, and no state can be set: so it is switched on when the ports that forwarded are forwarding. Ports that did not go up after
 * that, so that there is no loop meanwhile. Without one, the kernel keeps some states that have been set (bridge link set).
 */
#include <errno.h>
#include <linux/if.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <netlink/msg.h>
#include <netlink/socket.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include "attributes.h"
#include "internal.h"
#include "run/stats.h"
#include "stp.h"
#include "util/log.h"

#ifndef IFF_LOWER_UP
#define IFF_LOWER_UP (1u << 16)
#endif
/* A carrier is there, and the kernel is about to notice it: after a second at most, if it has time. */
#define WAIT_MS 20000

static int state_in(const struct nlattr *linkinfo)
{
	const struct nlattr *state = netlink_nested(netlink_nested(linkinfo, IFLA_INFO_SLAVE_DATA), IFLA_BRPORT_STATE);

	return state && nla_len(state) >= 1 ? nla_get_u8((struct nlattr *)state) : -1;
}

/* CRIU's images do not have it: the kernel's own choice. */
static int saved_state(const NetDeviceEntry *entry)
{
	const int state = state_in(net_find_attribute(entry, IFLA_LINKINFO));

	return state < 0 ? BR_STATE_FORWARDING : state;
}

static bool has_tree(const NetDeviceEntry *entry)
{
	const struct nlattr *data = netlink_nested(net_find_attribute(entry, IFLA_LINKINFO), IFLA_INFO_DATA);
	const struct nlattr *attr = entry->type == ND_TYPE__BRIDGE ? netlink_nested(data, IFLA_BR_STP_STATE) : NULL;

	return net_flag_is_set(attr);
}

/* The bridge that it is a port of, or NULL. */
static const NetDeviceEntry *bridge_of(const struct net_state *state, const NetDeviceEntry *entry)
{
	for (size_t i = 0; entry->has_master && i < state->nr_devices; i++)
		if (state->devices[i].entry->ifindex == entry->master)
			return state->devices[i].entry->type == ND_TYPE__BRIDGE ? state->devices[i].entry : NULL;
	return NULL;
}

bool net_stp_postpones(const struct net_state *state, const NetDeviceEntry *entry)
{
	const NetDeviceEntry *bridge = bridge_of(state, entry);

	return bridge && has_tree(bridge) && saved_state(entry) != BR_STATE_FORWARDING;
}

/* A state that is neither the kernel's own choice, nor changed by it. */
static bool has_set_state(const struct net_state *state, const NetDeviceEntry *entry)
{
	const NetDeviceEntry *bridge = bridge_of(state, entry);

	if (!bridge || has_tree(bridge) || !(bridge->flags & IFF_UP) || !(entry->flags & IFF_RUNNING))
		return false;
	return saved_state(entry) == BR_STATE_DISABLED || saved_state(entry) == BR_STATE_LISTENING ||
	       saved_state(entry) == BR_STATE_LEARNING;
}

/* ---- waiting ---- */

struct waiting {
	const struct net_state *state;
	bool any;
};

/* Before their states are set, all forward. */
static bool is_awaited(const struct net_state *state, const NetDeviceEntry *entry)
{
	const NetDeviceEntry *bridge = bridge_of(state, entry);

	if (!bridge || !(bridge->flags & IFF_UP) || !(entry->flags & IFF_UP))
		return false;
	return has_set_state(state, entry) || (has_tree(bridge) && saved_state(entry) == BR_STATE_FORWARDING);
}

/* Nothing that the kernel still has to do for it would change its state. Those of other kinds always have a carrier. */
static bool is_up(struct nlmsghdr *message, const NetDeviceEntry *entry)
{
	struct nlattr *operational = nlmsg_find_attr(message, sizeof(struct ifinfomsg), IFLA_OPERSTATE);

	if ((entry->type == ND_TYPE__VETH || entry->type == ND_TYPE__TUN) && operational &&
	    nla_get_u8(operational) != IF_OPER_UP)
		return false;
	return state_in(nlmsg_find_attr(message, sizeof(struct ifinfomsg), IFLA_LINKINFO)) == BR_STATE_FORWARDING;
}

static int see_port(struct nlmsghdr *message, void *arg)
{
	const struct ifinfomsg *ifi = nlmsg_data(message);
	struct waiting *w = arg;

	for (size_t i = 0; (ifi->ifi_flags & IFF_LOWER_UP) && i < w->state->nr_devices; i++) {
		const NetDeviceEntry *entry = w->state->devices[i].entry;

		if (entry->ifindex == (uint32_t)ifi->ifi_index && is_awaited(w->state, entry))
			w->any |= !is_up(message, entry);
	}
	return 0;
}

static int look_at_ports(const struct net_state *state, bool *ret_any)
{
	const struct ifinfomsg head = { .ifi_family = AF_UNSPEC };
	struct waiting waiting = { .state = state };
	int err =
		route_list(state->route, &(struct route_query){ RTM_GETLINK, &head, sizeof(head), see_port, &waiting });

	*ret_any = waiting.any;
	return err ? fail(err, "states of the ports of bridges") : 0;
}

/* For a message about a device; there may be several. */
static bool wait_for_change(struct nl_sock *changes, uint64_t end)
{
	uint64_t now = stats_now();
	struct pollfd p = { .fd = netlink_fd(changes), .events = POLLIN };
	char byte;

	if (now >= end || poll(&p, 1, (int)((end - now) / 1000) + 1) <= 0)
		return false;
	while (recv(p.fd, &byte, 1, MSG_DONTWAIT) >= 0 || errno == ENOBUFS)
		;
	return true;
}

/* Until those that have a carrier forward. */
static int wait_for_ports(const struct net_state *state)
{
	_cleanup_netlink_ struct nl_sock *changes = NULL;
	const uint64_t end = stats_now() + WAIT_MS * 1000ull;
	bool any, changed = true;
	int err = route_open(&changes);

	if (!err && nl_socket_add_memberships(changes, RTNLGRP_LINK, 0))
		err = -EIO;
	if (err)
		return fail(err, "wait for the ports of bridges");
	do
		err = look_at_ports(state, &any);
	while (!err && any && (changed = wait_for_change(changes, end)));
	if (!changed)
		log_warn("network namespace %u: a port of a bridge does not go up", state->ns->id);
	return err;
}

/* ---- requests ---- */

static void add_tree(struct route_batch *b, const NetDeviceEntry *bridge)
{
	const struct ifinfomsg head = { .ifi_index = (int)bridge->ifindex };
	struct nlattr *info, *data;

	route_message(b, RTM_NEWLINK, 0, &head, sizeof(head));
	info = route_nest(b, IFLA_LINKINFO);
	route_attr_str(b, IFLA_INFO_KIND, "bridge");
	data = route_nest(b, IFLA_INFO_DATA);
	route_attr_u32(b, IFLA_BR_STP_STATE, 1);
	route_nest_end(b, data);
	route_nest_end(b, info);
	route_message_end(b);
}

static void add_up(struct route_batch *b, const NetDeviceEntry *port)
{
	const struct ifinfomsg head = { .ifi_index = (int)port->ifindex,
					.ifi_flags = port->flags & IFF_UP,
					.ifi_change = IFF_UP };

	route_message(b, RTM_SETLINK, 0, &head, sizeof(head));
	route_message_end(b);
}

/* As bridge(8) does: after a request to a device itself, the bridge would enable a port that is disabled. */
static void add_state(struct route_batch *b, const NetDeviceEntry *port)
{
	const struct ifinfomsg head = { .ifi_family = AF_BRIDGE, .ifi_index = (int)port->ifindex };
	const uint8_t value = (uint8_t)saved_state(port);
	struct nlattr *nest;

	route_message(b, RTM_SETLINK, 0, &head, sizeof(head));
	nest = route_nest(b, IFLA_PROTINFO);
	route_attr(b, IFLA_BRPORT_STATE, &value, sizeof(value));
	route_nest_end(b, nest);
	route_message_end(b);
}

/* Without a carrier, the kernel disables a port, and sets no state. */
static int failed(void *arg, uint32_t nr, int err, const char *why)
{
	if (err != -ENETDOWN)
		return net_failed((void *)"restore the spanning trees of bridges", nr, err, why);
	log_warn("the state of a port of a bridge (bridge link) is not restored: it has no carrier");
	return 0;
}

static void add_trees(const struct net_state *state, struct route_batch *b)
{
	for (size_t i = 0; i < state->nr_devices; i++)
		if (has_tree(state->devices[i].entry))
			add_tree(b, state->devices[i].entry);
	for (size_t i = 0; i < state->nr_devices; i++)
		if (net_stp_postpones(state, state->devices[i].entry))
			add_up(b, state->devices[i].entry);
}

static void add_states(const struct net_state *state, struct route_batch *b)
{
	for (size_t i = 0; i < state->nr_devices; i++)
		if (has_set_state(state, state->devices[i].entry))
			add_state(b, state->devices[i].entry);
}

static int run(const struct net_state *state, void (*add)(const struct net_state *, struct route_batch *))
{
	_cleanup_route_batch_ struct route_batch b = { .err = 0 };
	int err;

	add(state, &b);
	if (!b.nr && !b.err)
		return 0;
	err = wait_for_ports(state);
	return err ? err : route_batch_run(&b, state->route, failed, NULL);
}

int net_stp_fill(const struct net_state *state)
{
	return run(state, add_trees);
}

int net_port_states_fill(const struct net_state *state)
{
	return run(state, add_states);
}
