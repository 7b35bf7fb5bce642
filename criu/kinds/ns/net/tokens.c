// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tokens of devices: the lower half of the addresses that they get from prefixes which routers advertise. ip-token(8). The kernel takes
 * one only where advertisements are accepted, and keeps it when they no longer are.
 */
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <netlink/msg.h>
#include <string.h>
#include "attributes.h"
#include "internal.h"
#include "util/str.h"

/* NULL: none. */
static const struct nlattr *token_of(const NetDeviceEntry *entry)
{
	static const struct in6_addr none;
	const struct nlattr *token =
		netlink_nested(netlink_nested(net_find_attribute(entry, IFLA_AF_SPEC), AF_INET6), IFLA_INET6_TOKEN);

	return token && nla_len(token) == sizeof(none) && memcmp(nla_data(token), &none, sizeof(none)) ? token : NULL;
}

static bool is_accepted(const struct conf_array *saved)
{
	if (!saved->v[CONF6_RTR_SOLICITS])
		return false;
	return saved->v[CONF6_FORWARDING] ? saved->v[CONF6_ACCEPT_RA] == 2 : saved->v[CONF6_ACCEPT_RA] != 0;
}

static int write_conf(struct restore *r, const char *device, const char *name, int value)
{
	char path[64], text[16];
	int err = str_format(path, sizeof(path), "ipv6/conf/%s/%s", device, name);

	if (!err)
		err = str_format(text, sizeof(text), "%d", value);
	return err ? err : net_sysctl_write(r, path, text);
}

static int set_conf(struct restore *r, const char *device, int accept_ra, int router_solicitations)
{
	int err = write_conf(r, device, "accept_ra", accept_ra);

	return err ? err : write_conf(r, device, "router_solicitations", router_solicitations);
}

static int send_token(const struct net_state *state, const NetDeviceEntry *entry, const struct nlattr *token)
{
	_cleanup_route_batch_ struct route_batch b = { .err = 0 };
	const struct ifinfomsg head = { .ifi_family = AF_INET6, .ifi_index = (int)entry->ifindex };
	struct nlattr *spec, *inet6;

	route_message(&b, RTM_SETLINK, 0, &head, sizeof(head));
	spec = route_nest(&b, IFLA_AF_SPEC);
	inet6 = route_nest(&b, AF_INET6);
	route_attr(&b, IFLA_INET6_TOKEN, nla_data(token), (size_t)nla_len(token));
	route_nest_end(&b, inet6);
	route_nest_end(&b, spec);
	route_message_end(&b);
	return route_batch_run(&b, state->route, net_failed, "set the token of a network device for IPv6 addresses");
}

static int fill_device(struct restore *r, const struct net_state *state, const NetDeviceEntry *entry)
{
	const struct nlattr *token = token_of(entry);
	const struct conf_array saved = net_saved_array(entry, CONF_IPV6);
	int err = 0;

	if (!token || saved.n <= CONF6_RTR_SOLICITS)
		return 0;
	if (is_accepted(&saved))
		return send_token(state, entry, token);
	/* Nothing arrives meanwhile: the device is down. */
	err = set_conf(r, entry->name, 2, 1);
	if (!err)
		err = send_token(state, entry, token);
	return err ? err : set_conf(r, entry->name, saved.v[CONF6_ACCEPT_RA], saved.v[CONF6_RTR_SOLICITS]);
}

int net_tokens_fill(struct restore *r, const struct net_state *state)
{
	int err = 0;

	for (size_t i = 0; !err && i < state->nr_devices; i++)
		if (!state->devices[i].left_out)
			err = fill_device(r, state, state->devices[i].entry);
	return err;
}
