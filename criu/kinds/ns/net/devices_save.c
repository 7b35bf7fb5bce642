// SPDX-License-Identifier: GPL-2.0-only
/* Devices of a network namespace: netdev-N, by index. What the format has no field for is kept as the kernel's attributes. */
#include <errno.h>
#include <linux/if.h>
#include <linux/if_arp.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <netlink/msg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "attributes.h"
#include "base/bits.h"
#include "device_kinds.h"
#include "image/writer.h"
#include "util/array.h"
#include "util/log.h"
#include "util/str.h"

/* RTM_GETLINK: without statistics, which are the larger part of an answer. */
#define FILTER_SKIP_STATS (1u << 3)

/* As often as others may change the devices while they are listed. */
#define ATTEMPTS 10

static int keep_message(struct nlmsghdr *message, void *arg)
{
	return route_keep(arg, message);
}

/* Asking for the list gives numbers to the namespaces of their peers (nsids). */
static int list_devices(struct nl_sock *route, struct buf *ret)
{
	const struct ifinfomsg head = { .ifi_family = AF_UNSPEC };
	const struct {
		struct nlattr attr;
		uint32_t mask;
	} filter = { { sizeof(filter), IFLA_EXT_MASK }, FILTER_SKIP_STATS };

	return route_list_with(route, &(struct route_query){ RTM_GETLINK, &head, sizeof(head), keep_message, ret },
			       &filter, sizeof(filter));
}

ARRAY_OF(device_array, NetDeviceEntry *);

struct saving {
	struct dump *dump;
	const struct ns *ns;
	struct nl_sock *route;
	NetnsEntry *netns; /* with the numbers of other namespaces */
	struct net_found *found;
	int devices; /* directory of sysfs */
	struct device_array entries; /* in the arena of the dump */
};

static int keep_attributes(struct dump *dump, struct nlmsghdr *message, NetDeviceEntry *entry)
{
	_cleanup_buf_ struct buf kept = { 0 };
	static const char zeros[NLA_ALIGNTO];
	const struct nlattr *attr;
	int left, err = 0;

	nlmsg_for_each_attr(attr, message, (int)sizeof(struct ifinfomsg), left)
	{
		if (err || !net_attribute_is_kept(nla_type(attr)) || nla_len(attr) < 1)
			continue;
		err = buf_add(&kept, attr, attr->nla_len);
		if (!err)
			err = buf_add(&kept, zeros, NLA_ALIGN(attr->nla_len) - attr->nla_len);
	}
	if (err || !kept.len)
		return err;
	entry->attributes.data = dump_alloc(dump, kept.len);
	if (!entry->attributes.data)
		return -ENOMEM;
	memcpy(entry->attributes.data, kept.data, kept.len);
	entry->attributes.len = kept.len;
	entry->has_attributes = true;
	return 0;
}

static int save_conf(struct dump *dump, const struct nlattr *spec, NetDeviceEntry *entry)
{
	struct conf_array arrays[CONF_FAMILIES];
	struct conf_list lists[CONF_FAMILIES];
	int err = 0;

	for (int i = 0; !err && i < CONF_FAMILIES; i++) {
		arrays[i] = net_array_in(spec, i);
		err = conf_save_device(dump, i, entry->name, &arrays[i], &lists[i]);
	}
	if (err)
		return err;
	entry->conf4 = lists[CONF_IPV4].v;
	entry->n_conf4 = arrays[CONF_IPV4].n ? lists[CONF_IPV4].n : 0;
	entry->conf6 = lists[CONF_IPV6].v;
	entry->n_conf6 = arrays[CONF_IPV6].n ? lists[CONF_IPV6].n : 0;
	return 0;
}

/* The namespace of the device that this one is connected to; 0: outside of the tree. */
static uint32_t peer_namespace(const struct saving *s, const struct nlattr *nsid)
{
	if (!nsid)
		return s->ns->id;
	for (size_t i = 0; i < s->netns->n_nsids; i++)
		if (s->netns->nsids[i]->netnsid_value == (int32_t)nla_get_u32(nsid) &&
		    s->netns->nsids[i]->target_ns_id != ns_own_id(NS_NET))
			return s->netns->nsids[i]->target_ns_id;
	return 0;
}

static int set_common(const struct saving *s, const struct ifinfomsg *ifi, struct nlattr *const *tb,
		      NetDeviceEntry *entry)
{
	uint32_t peer = peer_namespace(s, tb[IFLA_LINK_NETNSID]);

	entry->ifindex = (uint32_t)ifi->ifi_index;
	entry->flags = ifi->ifi_flags;
	entry->mtu = nla_get_u32(tb[IFLA_MTU]);
	entry->name = dump_strdup(s->dump, nla_get_string(tb[IFLA_IFNAME]));
	entry->has_peer_ifindex = true;
	entry->peer_ifindex = tb[IFLA_LINK] && nla_get_u32(tb[IFLA_LINK]) ? nla_get_u32(tb[IFLA_LINK]) : entry->ifindex;
	entry->has_peer_nsid = peer != 0;
	entry->peer_nsid = peer;
	entry->has_master = tb[IFLA_MASTER] != NULL;
	entry->master = tb[IFLA_MASTER] ? nla_get_u32(tb[IFLA_MASTER]) : 0;
	if (!entry->name)
		return -ENOMEM;
	if (!tb[IFLA_ADDRESS] || ifi->ifi_type == ARPHRD_LOOPBACK || !nla_len(tb[IFLA_ADDRESS]))
		return 0;
	entry->has_address = true;
	entry->address.len = nla_len(tb[IFLA_ADDRESS]);
	entry->address.data = dump_alloc(s->dump, entry->address.len);
	if (!entry->address.data)
		return -ENOMEM;
	memcpy(entry->address.data, nla_data(tb[IFLA_ADDRESS]), entry->address.len);
	return 0;
}

static void refuse(const struct saving *s, const NetDeviceEntry *entry, const char *what, const char *why)
{
	dump_blocker(s->dump, s->ns->member ? dump_task_of(s->ns->member) : NULL, -1,
		     "network namespace %u: device %s (%s) cannot be saved: %s; delete it (ip link delete %s)",
		     s->ns->id, entry->name, what, why, entry->name);
}

/* Options by which each VLAN, or each group of them, has settings that are not saved. */
static const char *bridge_obstacle(const struct nlattr *linkinfo)
{
	const struct nlattr *attr = netlink_nested(netlink_nested(linkinfo, IFLA_INFO_DATA), IFLA_BR_MULTI_BOOLOPT);
	struct br_boolopt_multi options = { 0 };

	if (attr && nla_len(attr) >= (int)sizeof(options))
		memcpy(&options, nla_data(attr), sizeof(options));
	if (options.optval & BIT(BR_BOOLOPT_MCAST_VLAN_SNOOPING))
		return "multicast snooping per VLAN is not implemented (mcast_vlan_snooping 1)";
	return options.optval & BIT(BR_BOOLOPT_MST_ENABLE) ?
		       "spanning trees per group of VLANs are not implemented (mst_enabled 1)" :
		       NULL;
}

/* What a device of that kind has beyond the common part. False: it cannot be saved. */
static bool set_kind(const struct saving *s, const struct ifinfomsg *ifi, struct nlattr *const *tb,
		     NetDeviceEntry *entry)
{
	const struct nlattr *name = netlink_nested(tb[IFLA_LINKINFO], IFLA_INFO_KIND);
	const char *kind = name ? nla_get_string((struct nlattr *)name) : "";
	const struct device_kind *found =
		ifi->ifi_type == ARPHRD_LOOPBACK ? device_kind_by_type(ND_TYPE__LOOPBACK) : device_kind_by_name(kind);

	const char *why;
	char text[64];
	int unknown;

	if (tb[IFLA_XDP] && nla_len(tb[IFLA_XDP]) && netlink_nested(tb[IFLA_XDP], IFLA_XDP_ATTACHED) &&
	    nla_get_u8((struct nlattr *)netlink_nested(tb[IFLA_XDP], IFLA_XDP_ATTACHED)))
		return refuse(s, entry, kind, "an XDP program is attached to it"), false;
	if (!found)
		return refuse(s, entry, *kind ? kind : "a physical device", "not implemented"), false;
	entry->type = found->type;
	if (found->type == ND_TYPE__EXTLINK)
		entry->kind = dump_strdup(s->dump, kind);
	why = found->type == ND_TYPE__BRIDGE ? bridge_obstacle(tb[IFLA_LINKINFO]) : NULL;
	if (why)
		return refuse(s, entry, kind, why), false;
	unknown = device_unknown_property(found, tb[IFLA_LINKINFO]);
	if (unknown) {
		snprintf(text, sizeof(text), "it has an unknown property (IFLA_INFO_DATA, number %d)", unknown);
		return refuse(s, entry, kind, text), false;
	}
	why = found->type == ND_TYPE__TUN ? net_tun_save(s->dump, s->ns, tb[IFLA_LINKINFO], entry) : NULL;
	if (why)
		return refuse(s, entry, kind, why), false;
	if (!entry->has_peer_nsid && !found->may_lead_out)
		return refuse(s, entry, kind, "it is connected to a device outside of the tree"), false;
	return true;
}

/* Some properties are only found by name: whether it is still that of the device with this index. */
static bool has_kept_name(const struct saving *s, const NetDeviceEntry *entry)
{
	struct ifreq ifr = { .ifr_ifindex = (int)entry->ifindex };

	return !ioctl(netlink_fd(s->route), SIOCGIFNAME, &ifr) && str_eq(ifr.ifr_name, entry->name);
}

/* What there is about it beside the message. */
static int save_by_name(struct saving *s, NetDeviceEntry *entry)
{
	int err = net_features_save(s->dump, s->route, s->netns, entry);

	if (!err)
		err = net_channels_save(s->dump, s->route, entry);
	if (!err)
		err = net_settings_save(s->dump, s->ns, s->devices, entry);
	return !err && !has_kept_name(s, entry) ? -ENODEV : err;
}

static int save_device(const struct nlmsghdr *message, void *arg)
{
	struct saving *s = arg;
	struct nlmsghdr *m = (struct nlmsghdr *)message;
	const struct ifinfomsg *ifi = nlmsg_data(m);
	struct nlattr *tb[IFLA_MAX + 1];
	NetDeviceEntry *entry = dump_alloc(s->dump, sizeof(*entry));
	int err = entry ? netlink_attributes(m, sizeof(*ifi), tb, IFLA_MAX, NULL) : -ENOMEM;

	if (!err && (!tb[IFLA_IFNAME] || !tb[IFLA_MTU]))
		err = -EBADMSG;
	if (err)
		return fail(err, "devices of network namespace %u", s->ns->id);
	net_device_entry__init(entry);
	err = set_common(s, ifi, tb, entry);
	if (err)
		return fail(err, "devices of network namespace %u", s->ns->id);
	if (!set_kind(s, ifi, tb, entry))
		return has_kept_name(s, entry) ? 0 : -ENODEV;
	err = device_save_details(s->dump, tb[IFLA_LINKINFO], entry);
	if (!err)
		err = save_conf(s->dump, tb[IFLA_AF_SPEC], entry);
	if (!err)
		err = keep_attributes(s->dump, m, entry);
	if (!err)
		err = save_by_name(s, entry);
	return err ? err : array_add(&s->entries, entry);
}

/* -ENODEV: others have renamed or removed a device meanwhile; nothing is left of this attempt. */
static int save_listed(struct saving *s)
{
	_cleanup_buf_ struct buf messages = { 0 };
	struct blockers before = s->dump->blockers;
	int err;

	s->entries.n = 0;
	s->netns->n_nsids = 0;
	err = list_devices(s->route, &messages);
	if (err)
		return fail(err, "list the devices of network namespace %u", s->ns->id);
	err = net_ids_save(s->dump, s->ns, s->route, s->netns);
	if (!err)
		err = net_messages_each(&(struct net_messages){ messages.data, messages.len }, save_device, s);
	if (err != -ENODEV)
		return err;
	s->dump->blockers = before;
	if (before.last)
		before.last->next = NULL;
	return -ENODEV;
}

static int save_devices(struct saving *s)
{
	int err = -ENODEV;

	for (int attempts = 0; err == -ENODEV && attempts < ATTEMPTS; attempts++)
		err = save_listed(s);
	if (err != -ENODEV)
		return err;
	return dump_try_again(s->dump, -EAGAIN,
			      "network namespace %u: other programs rename or remove its devices while they are saved",
			      s->ns->id);
}

static int write_devices(const struct saving *s)
{
	_cleanup_image_writer_ struct image_writer *img = NULL;
	int err = image_create(s->dump->dir, IMAGE_NETDEV, s->ns->id, &img);

	for (size_t i = 0; err >= 0 && i < s->entries.n; i++) {
		const NetDeviceEntry *entry = s->entries.v[i];

		s->found->vlan_tables |= net_has_vlan_tables(entry);
		s->found->filters_vlans |= net_filters_vlans(entry);
		err = image_write_record(img, &entry->base);
	}
	if (err >= 0)
		err = image_close(steal_ptr(&img));
	return err < 0 ? fail(err, "%s", image_store_error(s->dump->dir)) : 0;
}

int net_devices_save(struct dump *dump, const struct ns *ns, struct nl_sock *route, NetnsEntry *netns,
		     struct net_found *found)
{
	struct saving saving = {
		.dump = dump, .ns = ns, .route = route, .netns = netns, .found = found, .devices = -1
	};
	int err = net_settings_open(&saving.devices);

	if (!err)
		err = save_devices(&saving);
	if (!err)
		err = write_devices(&saving);
	array_free(&saving.entries);
	if (saving.devices >= 0)
		close(saving.devices);
	return err;
}
