// SPDX-License-Identifier: GPL-2.0-only
/* Properties of devices, when all of them exist. */
#include <errno.h>
#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netlink/msg.h>
#include "attributes.h"
#include "base/bits.h"
#include "bonds.h"
#include "device_kinds.h"
#include "stp.h"
#include "util/log.h"

/* Flags that can be set: netdevice(7). The others are the kernel's own. */
#define FLAGS_TO_SET                                                                                      \
	((unsigned)(IFF_DEBUG | IFF_NOTRAILERS | IFF_NOARP | IFF_PROMISC | IFF_ALLMULTI | IFF_MULTICAST | \
		    IFF_PORTSEL | IFF_AUTOMEDIA | IFF_DYNAMIC))

static int run(struct route_batch *b, const struct net_state *state, const char *what)
{
	return route_batch_run(b, state->route, net_failed, (void *)what);
}

/* Those that are set otherwise, or that the kernel would not take from a device that is like this anyway. */
static bool is_set_here(const struct net_device *device, const struct nlattr *attr)
{
	switch (nla_type(attr)) {
	case IFLA_PROP_LIST:
	case IFLA_AF_SPEC:
	case IFLA_LINKINFO:
	case IFLA_NUM_TX_QUEUES:
	case IFLA_NUM_RX_QUEUES:
		return false;
	case IFLA_BROADCAST:
		return device->entry->type != ND_TYPE__LOOPBACK;
	case IFLA_PROTO_DOWN:
	case IFLA_LINKMODE:
		return net_flag_is_set(attr);
	default:
		return true;
	}
}

static void set_attributes(struct route_batch *b, const struct net_device *device)
{
	const NetDeviceEntry *entry = device->entry;
	const struct ifinfomsg head = { .ifi_index = (int)entry->ifindex,
					.ifi_flags = entry->flags & FLAGS_TO_SET,
					.ifi_change = FLAGS_TO_SET };
	const struct nlattr *before = bond_address_of_port(entry), *attr;
	int left;

	route_message(b, RTM_SETLINK, 0, &head, sizeof(head));
	if (device->kind->is_made_apart && before)
		route_attr(b, IFLA_ADDRESS, nla_data(before), (size_t)nla_len(before));
	else if (device->kind->is_made_apart && entry->has_address)
		route_attr(b, IFLA_ADDRESS, entry->address.data, entry->address.len);
	nla_for_each_attr(attr, (struct nlattr *)entry->attributes.data, (int)entry->attributes.len,
			  left) if (is_set_here(device, attr)) route_attrs(b, attr, NLA_ALIGN(attr->nla_len));
	route_message_end(b);
}

/* It is limited by the device below, or the bond that it is a port of has changed it. */
static bool has_given_mtu(const struct net_device *device)
{
	return device->kind->needs_link || bond_has_port(device->entry);
}

/* It depends on other devices: on the ports, or on those. */
static bool has_dependent_mtu(const struct net_device *device)
{
	return device->kind->has_ports || has_given_mtu(device);
}

static void set_mtu(struct route_batch *b, const struct net_device *device)
{
	const struct ifinfomsg head = { .ifi_index = (int)device->entry->ifindex };

	route_message(b, RTM_SETLINK, 0, &head, sizeof(head));
	route_attr_u32(b, IFLA_MTU, device->entry->mtu);
	route_message_end(b);
}

static void set_altnames(struct route_batch *b, const struct net_device *device)
{
	const struct ifinfomsg head = { .ifi_index = (int)device->entry->ifindex };
	const struct nlattr *names = net_find_attribute(device->entry, IFLA_PROP_LIST);

	if (!names)
		return;
	route_message(b, RTM_NEWLINKPROP, NLM_F_CREATE | NLM_F_EXCL | NLM_F_APPEND, &head, sizeof(head));
	route_attrs(b, names, NLA_ALIGN(names->nla_len));
	route_message_end(b);
}

/* It becomes a port of a bridge (or bond), with its properties as such. */
static void set_master(struct route_batch *b, const struct net_device *device)
{
	const struct ifinfomsg head = { .ifi_index = (int)device->entry->ifindex };

	if (!device->entry->has_master || !device->entry->master)
		return;
	route_message(b, RTM_SETLINK, 0, &head, sizeof(head));
	route_attr_u32(b, IFLA_MASTER, device->entry->master);
	route_message_end(b);
	if (!device_has_port(device->entry))
		return;
	route_message(b, RTM_NEWLINK, 0, &head, sizeof(head));
	device_add_port(b, device->entry);
	route_message_end(b);
}

/* All IPv4 settings of a device in one request. */
static void set_conf4(struct route_batch *b, const struct net_device *device)
{
	const NetDeviceEntry *entry = device->entry;
	const struct conf_family *family = &conf_families[CONF_IPV4];
	const struct ifinfomsg head = { .ifi_index = (int)entry->ifindex };
	const struct conf_array saved = net_saved_array(entry, CONF_IPV4);
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

/* Which device and property each request of a batch is about. */
struct subject {
	const struct net_device *device;
	const char *what;
};
ARRAY_OF(subject_array, struct subject);

struct configuring {
	struct route_batch b;
	struct subject_array subjects;
};

static void free_configuring(struct configuring *c)
{
	route_batch_free(&c->b);
	array_free(&c->subjects);
}
#define _cleanup_configuring_ __attribute__((cleanup(free_configuring)))

/* Of the requests that have been added since. */
static void note_subject(struct configuring *c, const struct net_device *device, const char *what)
{
	const struct subject subject = { device, what };

	while (!c->b.err && c->subjects.n < c->b.nr)
		if (array_add(&c->subjects, subject))
			c->b.err = -ENOMEM;
}

static int report_subject(void *arg, uint32_t nr, int err, const char *why)
{
	const struct subject_array *subjects = arg;
	const struct subject *subject = nr < subjects->n ? &subjects->v[nr] : NULL;

	if (!subject)
		return fail(err, "set the properties of the network devices");
	return fail(err, "network namespace %u: set %s of device %s%s%s", subject->device->ns->id, subject->what,
		    subject->device->entry->name, *why ? ": " : "", why);
}

static int run_configuring(struct configuring *c, const struct net_state *state)
{
	return route_batch_run(&c->b, state->route, report_subject, &c->subjects);
}

static int configure(const struct net_state *state)
{
	_cleanup_configuring_ struct configuring c = { .b = { .err = 0 } };

	for (size_t i = 0; i < state->nr_devices; i++) {
		const struct net_device *device = &state->devices[i];

		if (device->left_out)
			continue;
		set_attributes(&c.b, device);
		note_subject(&c, device, "flags and attributes");
		if (!has_dependent_mtu(device))
			set_mtu(&c.b, device);
		note_subject(&c, device, "the MTU");
		set_altnames(&c.b, device);
		note_subject(&c, device, "the alternative names");
		set_master(&c.b, device);
		note_subject(&c, device, "the bridge or bond (master)");
		set_conf4(&c.b, device);
		note_subject(&c, device, "the IPv4 settings");
	}
	return run_configuring(&c, state);
}

static int set_primaries(const struct net_state *state)
{
	_cleanup_configuring_ struct configuring c = { .b = { .err = 0 } };

	for (size_t i = 0; i < state->nr_devices; i++) {
		bond_set_primary(&c.b, state->devices[i].entry);
		note_subject(&c, &state->devices[i], "the preferred port");
	}
	return c.b.nr ? run_configuring(&c, state) : 0;
}

static int set_dependent_mtus(const struct net_state *state, bool linked)
{
	_cleanup_configuring_ struct configuring c = { .b = { .err = 0 } };

	for (size_t i = 0; i < state->nr_devices; i++) {
		const struct net_device *device = &state->devices[i];

		if (device->left_out || !has_dependent_mtu(device) || has_given_mtu(device) != linked)
			continue;
		set_mtu(&c.b, device);
		note_subject(&c, device, "the MTU");
	}
	return run_configuring(&c, state);
}

static int set_bridge_mtus(const struct net_state *state)
{
	return set_dependent_mtus(state, false);
}

static int set_linked_mtus(const struct net_state *state)
{
	return set_dependent_mtus(state, true);
}

/*
 * Step by step in all namespaces: a bridge without an MTU of its own takes over that of its ports; what is on top of another
 * device may not exceed its MTU.
 */
int net_devices_configure(struct restore *r)
{
	static int (*const steps[])(const struct net_state *) = { configure, set_primaries, set_bridge_mtus,
								  set_linked_mtus };
	struct ns *ns;
	int err = 0;

	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		ns_for_each(ns, &r->plan.namespaces, NS_NET) {
			const struct net_state *state = ns->data;

			if (!err && state && state->route)
				err = steps[i](state);
		}
	}
	return err;
}

/* ---- IPv6 ---- */

/* How it creates addresses for a device by itself. */
static int gen_mode_of(const NetDeviceEntry *entry)
{
	const struct conf_array saved = net_saved_array(entry, CONF_IPV6);

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

/* It may have no carrier yet; then the kernel chooses. */
static int note_active(void *arg, uint32_t nr, int err, const char *why)
{
	log_warn("a bond uses another port than it did: errno %d%s%s", -err, *why ? ": " : "", why);
	return 0;
}

static int set_active_ports(const struct net_state *state)
{
	_cleanup_route_batch_ struct route_batch b = { .err = 0 };

	for (size_t i = 0; i < state->nr_devices; i++)
		bond_set_active(&b, state->devices[i].entry);
	return b.nr ? route_batch_run(&b, state->route, note_active, NULL) : 0;
}

int net_devices_settle(const struct net_state *state)
{
	_cleanup_route_batch_ struct route_batch b = { .err = 0 };
	int err;

	for (size_t i = 0; i < state->nr_devices; i++) {
		const NetDeviceEntry *entry = state->devices[i].entry;

		if (!state->devices[i].left_out)
			set_gen_mode(&b, entry, gen_mode_of(entry));
	}
	err = run(&b, state, "set how the network devices get IPv6 addresses");
	return err ? err : set_active_ports(state);
}

/*
 * The kernel notices a moment later that a new veth has no carrier. Until then, the bridge of which it is a port would have
 * one, and get an address: unless the port is dormant, which ends with that.
 */
int net_devices_up(const struct net_state *state)
{
	_cleanup_route_batch_ struct route_batch b = { .err = 0 };

	for (size_t i = 0; i < state->nr_devices; i++) {
		const NetDeviceEntry *entry = state->devices[i].entry;
		const struct ifinfomsg head = { .ifi_index = (int)entry->ifindex,
						.ifi_flags = entry->flags & IFF_UP,
						.ifi_change = IFF_UP };

		if (state->devices[i].left_out)
			continue;
		set_gen_mode(&b, entry, IN6_ADDR_GEN_MODE_NONE);
		if (net_stp_postpones(state, entry))
			continue;
		route_message(&b, RTM_SETLINK, 0, &head, sizeof(head));
		if (entry->type == ND_TYPE__VETH && entry->has_master && (entry->flags & IFF_UP) &&
		    !(entry->flags & IFF_RUNNING))
			route_attr(&b, IFLA_OPERSTATE, &(uint8_t){ IF_OPER_DORMANT }, 1);
		route_message_end(&b);
	}
	return run(&b, state, "set up the network devices");
}

struct settings {
	struct restore *r;
	const struct net_state *state;
};

static int set_conf6(struct nlmsghdr *message, void *arg)
{
	const struct settings *s = arg;
	const struct ifinfomsg *ifi = nlmsg_data(message);
	const struct conf_array now = net_array_in(nlmsg_find_attr(message, sizeof(*ifi), IFLA_AF_SPEC), CONF_IPV6);
	int err = 0;

	for (size_t i = 0; !err && i < s->state->nr_devices; i++) {
		const NetDeviceEntry *entry = s->state->devices[i].entry;
		const struct conf_list list = { entry->conf6, entry->n_conf6 };
		const struct conf_array saved = net_saved_array(entry, CONF_IPV6);

		if (entry->ifindex != (uint32_t)ifi->ifi_index || s->state->devices[i].left_out)
			continue;
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
