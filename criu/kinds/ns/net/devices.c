// SPDX-License-Identifier: GPL-2.0-only
/* Creates the devices of all namespaces: connected ones need each other. */
#include "devices.h"
#include <errno.h>
#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netlink/msg.h>
#include <string.h>
#include "base/bits.h"
#include "util/log.h"

/* Newer than our headers. */
enum { GRO_MAX_SIZE = 58, GSO_IPV4_MAX_SIZE = 63, GRO_IPV4_MAX_SIZE = 64 };
#define LOOPBACK_INDEX 1

const unsigned short net_attributes[] = {
	IFLA_TXQLEN,	   IFLA_LINKMODE,     IFLA_IFALIAS, IFLA_GROUP,	       IFLA_PROTO_DOWN,
	IFLA_GSO_MAX_SEGS, IFLA_GSO_MAX_SIZE, GRO_MAX_SIZE, GSO_IPV4_MAX_SIZE, GRO_IPV4_MAX_SIZE,
	IFLA_BROADCAST,	   IFLA_PROP_LIST,    IFLA_AF_SPEC,
};
const size_t net_nr_attributes = ARRAY_SIZE(net_attributes);

/* Flags that can be set: netdevice(7). The others are the kernel's own. */
#define FLAGS_TO_SET                                                                                      \
	((unsigned)(IFF_DEBUG | IFF_NOTRAILERS | IFF_NOARP | IFF_PROMISC | IFF_ALLMULTI | IFF_MULTICAST | \
		    IFF_PORTSEL | IFF_AUTOMEDIA | IFF_DYNAMIC))

struct failing {
	const struct net_state *state;
	const char *what;
};

static int report(void *arg, uint32_t nr, int err)
{
	const struct failing *f = arg;

	return fail(err, "%s (request %u) of network namespace %u", f->what, nr, f->state->devices[0].ns->id);
}

static void add_attribute(struct route_batch *b, const struct nlattr *attr)
{
	route_attrs(b, attr, NLA_ALIGN(attr->nla_len));
}

/* Those that are set otherwise, or that the kernel would not take from a device that is like this anyway. */
static bool is_default(const struct net_device *device, const struct nlattr *attr)
{
	bool loopback = device->entry->type == ND_TYPE__LOOPBACK;

	return nla_type(attr) == IFLA_PROP_LIST || nla_type(attr) == IFLA_AF_SPEC ||
	       (loopback && nla_type(attr) == IFLA_BROADCAST) ||
	       ((nla_type(attr) == IFLA_PROTO_DOWN || nla_type(attr) == IFLA_LINKMODE) && !nla_get_u8((void *)attr));
}

static void set_attributes(struct route_batch *b, const struct net_device *device)
{
	const NetDeviceEntry *entry = device->entry;
	const struct ifinfomsg head = { .ifi_index = (int)entry->ifindex,
					.ifi_flags = entry->flags & FLAGS_TO_SET,
					.ifi_change = FLAGS_TO_SET };
	const struct nlattr *attr;
	int left;

	route_message(b, RTM_SETLINK, 0, &head, sizeof(head));
	route_attr_u32(b, IFLA_MTU, entry->mtu);
	nla_for_each_attr(attr, (struct nlattr *)entry->attributes.data, (int)entry->attributes.len,
			  left) if (!is_default(device, attr)) add_attribute(b, attr);
	route_message_end(b);
}

static const struct nlattr *find_attribute(const NetDeviceEntry *entry, int type)
{
	return nla_find((struct nlattr *)entry->attributes.data, (int)entry->attributes.len, type);
}

static void set_altnames(struct route_batch *b, const struct net_device *device)
{
	const NetDeviceEntry *entry = device->entry;
	const struct ifinfomsg head = { .ifi_index = (int)entry->ifindex };
	const struct nlattr *names = find_attribute(entry, IFLA_PROP_LIST);

	if (!names)
		return;
	route_message(b, RTM_NEWLINKPROP, NLM_F_CREATE | NLM_F_EXCL | NLM_F_APPEND, &head, sizeof(head));
	route_attrs(b, names, NLA_ALIGN(names->nla_len));
	route_message_end(b);
}

/* Empty in images of CRIU. */
static struct conf_array saved_array(const NetDeviceEntry *entry, int family)
{
	struct nlattr *tb[IFLA_MAX + 1] = { NULL };

	tb[IFLA_AF_SPEC] = (struct nlattr *)find_attribute(entry, IFLA_AF_SPEC);
	return net_device_array(tb, family);
}

/* All IPv4 settings of a device in one request. */
static void set_conf4(struct route_batch *b, const struct net_device *device)
{
	const NetDeviceEntry *entry = device->entry;
	const struct conf_family *family = &conf_families[CONF_IPV4];
	const struct ifinfomsg head = { .ifi_index = (int)entry->ifindex };
	const struct conf_array saved = saved_array(entry, CONF_IPV4);
	struct nlattr *spec, *inet, *conf;

	if (!entry->n_conf4)
		return;
	route_message(b, RTM_SETLINK, 0, &head, sizeof(head));
	spec = route_nest(b, IFLA_AF_SPEC);
	inet = route_nest(b, AF_INET);
	conf = route_nest(b, IFLA_INET_CONF);
	for (size_t i = 0; i < entry->n_conf4 && i < family->nr; i++)
		if (entry->conf4[i]->has_iarg)
			route_attr_u32(b, family->names[i].index + 1, (uint32_t)entry->conf4[i]->iarg);
	for (size_t i = 0; i < family->nr_more; i++)
		if (family->more[i].index < saved.n)
			route_attr_u32(b, family->more[i].index + 1, (uint32_t)saved.v[family->more[i].index]);
	route_nest_end(b, conf);
	route_nest_end(b, inet);
	route_nest_end(b, spec);
	route_message_end(b);
}

static int configure(const struct net_state *state)
{
	_cleanup_route_batch_ struct route_batch b = { .err = 0 };
	struct failing failing = { state, "set the properties of a device" };

	for (size_t i = 0; i < state->nr_devices; i++) {
		set_attributes(&b, &state->devices[i]);
		set_altnames(&b, &state->devices[i]);
		set_conf4(&b, &state->devices[i]);
	}
	return route_batch_run(&b, state->route, report, &failing);
}

int net_devices_make(struct restore *r)
{
	struct ns *ns;
	int err = 0;

	ns_for_each(ns, &r->plan.namespaces, NS_NET)
		if (!err && ns->data)
			err = configure(ns->data);
	return err;
}

/* How IPv6 creates addresses for a device by itself. */
static int gen_mode_of(const NetDeviceEntry *entry)
{
	const struct conf_array saved = saved_array(entry, CONF_IPV6);

	return saved.n > CONF6_ADDR_GEN_MODE ? saved.v[CONF6_ADDR_GEN_MODE] : IN6_ADDR_GEN_MODE_EUI64;
}

static void set_gen_mode(struct route_batch *b, const NetDeviceEntry *entry, int mode)
{
	const struct ifinfomsg head = { .ifi_index = (int)entry->ifindex };
	const uint8_t value = (uint8_t)mode;
	struct nlattr *spec, *inet6;

	if (!entry->n_conf6)
		return;
	route_message(b, RTM_SETLINK, 0, &head, sizeof(head));
	spec = route_nest(b, IFLA_AF_SPEC);
	inet6 = route_nest(b, AF_INET6);
	route_attr(b, IFLA_INET6_ADDR_GEN_MODE, &value, sizeof(value));
	route_nest_end(b, inet6);
	route_nest_end(b, spec);
	route_message_end(b);
}

int net_devices_settle(const struct net_state *state)
{
	_cleanup_route_batch_ struct route_batch b = { .err = 0 };
	struct failing failing = { state, "set how a device gets IPv6 addresses" };

	for (size_t i = 0; i < state->nr_devices; i++)
		set_gen_mode(&b, state->devices[i].entry, gen_mode_of(state->devices[i].entry));
	return route_batch_run(&b, state->route, report, &failing);
}

int net_devices_up(const struct net_state *state)
{
	_cleanup_route_batch_ struct route_batch b = { .err = 0 };
	struct failing failing = { state, "set up a device" };

	for (size_t i = 0; i < state->nr_devices; i++) {
		const NetDeviceEntry *entry = state->devices[i].entry;
		const struct ifinfomsg head = { .ifi_index = (int)entry->ifindex,
						.ifi_flags = entry->flags & IFF_UP,
						.ifi_change = IFF_UP };

		set_gen_mode(&b, entry, IN6_ADDR_GEN_MODE_NONE);
		route_message(&b, RTM_SETLINK, 0, &head, sizeof(head));
		route_message_end(&b);
	}
	return route_batch_run(&b, state->route, report, &failing);
}

/* ---- IPv6 settings ---- */

struct settings {
	struct restore *r;
	const struct net_state *state;
};

static int set_conf6(struct nlmsghdr *message, void *arg)
{
	const struct settings *s = arg;
	const struct ifinfomsg *ifi = nlmsg_data(message);
	struct nlattr *tb[IFLA_MAX + 1];
	int err = netlink_attributes(message, sizeof(*ifi), tb, IFLA_MAX, NULL);

	for (size_t i = 0; !err && i < s->state->nr_devices; i++) {
		const NetDeviceEntry *entry = s->state->devices[i].entry;
		struct conf_list list = { entry->conf6, entry->n_conf6 };
		struct conf_array now, saved;

		if (entry->ifindex != (uint32_t)ifi->ifi_index)
			continue;
		now = net_device_array(tb, CONF_IPV6);
		saved = saved_array(entry, CONF_IPV6);
		err = conf_fill_device(s->r, CONF_IPV6, entry->name, &list, &now);
		if (!err)
			err = conf_fill_more(s->r, CONF_IPV6, entry->name, &saved, &now);
	}
	return err;
}

int net_devices_conf(struct restore *r, const struct net_state *state)
{
	struct settings settings = { r, state };
	const struct ifinfomsg head = { .ifi_family = AF_UNSPEC };
	int err = route_list(state->route,
			     &(struct route_query){ RTM_GETLINK, &head, sizeof(head), set_conf6, &settings });

	return err ? fail(err, "settings of the devices of a network namespace") : 0;
}
