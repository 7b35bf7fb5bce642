// SPDX-License-Identifier: GPL-2.0-only
/* Devices of a network namespace: netdev-N, by index. */
#include <errno.h>
#include <linux/if_arp.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <string.h>
#include "base/bits.h"
#include "devices.h"
#include "image/writer.h"
#include "internal.h"
#include "util/log.h"

/* RTM_GETLINK: without statistics, which are the larger part of an answer. */
#define FILTER_SKIP_STATS (1u << 3)

struct saving {
	struct dump *dump;
	const struct ns *ns;
	struct image_writer *img;
	NetnsEntry *netns;
};

static struct conf_array array_in(const struct nlattr *spec, int family, int type)
{
	struct nlattr *tb[CONF_ARRAY_MAX + 1], *one = spec ? nla_find(nla_data(spec), nla_len(spec), family) : NULL;

	if (!one || nla_parse_nested(tb, CONF_ARRAY_MAX, one, NULL) < 0 || !tb[type])
		return (struct conf_array){ NULL, 0 };
	return (struct conf_array){ nla_data(tb[type]), (size_t)nla_len(tb[type]) / sizeof(int32_t) };
}

struct conf_array net_device_array(struct nlattr *const *tb, int family)
{
	return family == CONF_IPV4 ? array_in(tb[IFLA_AF_SPEC], AF_INET, IFLA_INET_CONF) :
				     array_in(tb[IFLA_AF_SPEC], AF_INET6, IFLA_INET6_CONF);
}

/* ---- attributes that the format has no field for ---- */

static bool is_kept(int type)
{
	for (size_t i = 0; i < net_nr_attributes; i++)
		if (net_attributes[i] == type)
			return true;
	return false;
}

/* IPv6: addr_gen_mode and token can be set by netlink; everything else here are the arrays of settings. */
static int keep_attributes(struct dump *dump, struct nlmsghdr *message, NetDeviceEntry *entry)
{
	_cleanup_buf_ struct buf kept = { 0 };
	static const char zeros[NLA_ALIGNTO];
	const struct nlattr *attr;
	int left, err = 0;

	nlmsg_for_each_attr(attr, message, (int)sizeof(struct ifinfomsg), left)
	{
		if (err || !is_kept(nla_type(attr)))
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

/* ---- one device ---- */

static const char *kind_of(struct nlattr *const *tb)
{
	const struct nlattr *kind =
		tb[IFLA_LINKINFO] ? nla_find(nla_data(tb[IFLA_LINKINFO]), nla_len(tb[IFLA_LINKINFO]), IFLA_INFO_KIND) :
				    NULL;

	return kind ? nla_get_string((struct nlattr *)kind) : "";
}

static int save_conf(struct dump *dump, struct nlattr *const *tb, NetDeviceEntry *entry)
{
	struct conf_array arrays[CONF_FAMILIES];
	struct conf_list lists[CONF_FAMILIES];
	int err = 0;

	for (int i = 0; !err && i < CONF_FAMILIES; i++) {
		arrays[i] = net_device_array(tb, i);
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

static void set_common(const struct saving *s, const struct ifinfomsg *ifi, struct nlattr *const *tb,
		       NetDeviceEntry *entry)
{
	entry->ifindex = (uint32_t)ifi->ifi_index;
	entry->flags = ifi->ifi_flags;
	entry->mtu = nla_get_u32(tb[IFLA_MTU]);
	entry->name = dump_strdup(s->dump, nla_get_string(tb[IFLA_IFNAME]));
	entry->has_peer_ifindex = true;
	entry->peer_ifindex = tb[IFLA_LINK] ? nla_get_u32(tb[IFLA_LINK]) : entry->ifindex;
	entry->has_master = tb[IFLA_MASTER] != NULL;
	entry->master = tb[IFLA_MASTER] ? nla_get_u32(tb[IFLA_MASTER]) : 0;
	if (tb[IFLA_ADDRESS] && ifi->ifi_type != ARPHRD_LOOPBACK && nla_len(tb[IFLA_ADDRESS])) {
		entry->has_address = true;
		entry->address.data = dump_alloc(s->dump, nla_len(tb[IFLA_ADDRESS]));
		entry->address.len = entry->address.data ? nla_len(tb[IFLA_ADDRESS]) : 0;
		if (entry->address.data)
			memcpy(entry->address.data, nla_data(tb[IFLA_ADDRESS]), entry->address.len);
	}
}

static const struct dump_task *member_of(const struct ns *ns)
{
	return ns->member ? dump_task_of(ns->member) : NULL;
}

static int save_device(struct nlmsghdr *message, void *arg)
{
	const struct saving *s = arg;
	const struct ifinfomsg *ifi = nlmsg_data(message);
	struct nlattr *tb[IFLA_MAX + 1];
	NetDeviceEntry entry = NET_DEVICE_ENTRY__INIT;
	int err = netlink_attributes(message, sizeof(*ifi), tb, IFLA_MAX, NULL);

	if (!err && (!tb[IFLA_IFNAME] || !tb[IFLA_MTU]))
		err = -EBADMSG;
	if (err)
		return err;
	set_common(s, ifi, tb, &entry);
	if (!entry.name)
		return -ENOMEM;
	if (ifi->ifi_type != ARPHRD_LOOPBACK) {
		dump_blocker(
			s->dump, member_of(s->ns), -1,
			"network namespace %u: device %s (%s) cannot be saved: not implemented; delete it (ip link delete %s)",
			s->ns->id, entry.name, *kind_of(tb) ? kind_of(tb) : "a physical device", entry.name);
		return 0;
	}
	entry.type = ND_TYPE__LOOPBACK;
	entry.has_peer_nsid = true;
	entry.peer_nsid = s->ns->id;
	err = save_conf(s->dump, tb, &entry);
	if (!err)
		err = keep_attributes(s->dump, message, &entry);
	return err ? err : image_write_record(s->img, &entry.base);
}

int net_devices_save(struct dump *dump, const struct ns *ns, struct nl_sock *route)
{
	_cleanup_image_writer_ struct image_writer *img = NULL;
	struct saving saving = { .dump = dump, .ns = ns };
	const struct ifinfomsg head = { .ifi_family = AF_UNSPEC };
	const struct {
		struct nlattr attr;
		uint32_t mask;
	} filter = { { sizeof(filter), IFLA_EXT_MASK }, FILTER_SKIP_STATS };
	struct route_query query = { RTM_GETLINK, &head, sizeof(head), save_device, &saving };
	int err = image_create(dump->dir, IMAGE_NETDEV, ns->id, &img);

	if (err)
		return fail(err, "%s", image_store_error(dump->dir));
	saving.img = img;
	err = route_list_with(route, &query, &filter, sizeof(filter));
	if (err)
		return fail(err, "list the devices of network namespace %u", ns->id);
	err = image_close(steal_ptr(&img));
	return err < 0 ? fail(err, "%s", image_store_error(dump->dir)) : 0;
}
