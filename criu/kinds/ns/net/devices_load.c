// SPDX-License-Identifier: GPL-2.0-only
/* Reads and checks netdev-N. */
#include <errno.h>
#include <string.h>
#include <linux/if.h>
#include "devices.h"
#include "util/log.h"

static int check_attributes(const struct ns *ns, const NetDeviceEntry *entry)
{
	const struct nlattr *attr;
	int left;

	nla_for_each_attr(attr, (struct nlattr *)entry->attributes.data, (int)entry->attributes.len, left)
	{
		size_t i = 0;

		while (i < net_nr_attributes && net_attributes[i] != nla_type(attr))
			i++;
		if (i == net_nr_attributes)
			return fail(-EBADMSG, "netdev-%u.img: device %s: unknown attribute %d", ns->id, entry->name,
				    nla_type(attr));
		if (nla_len(attr) < 1)
			return fail(-EBADMSG, "netdev-%u.img: device %s: attribute %d is empty", ns->id, entry->name,
				    nla_type(attr));
	}
	if (left > 0)
		return fail(-EBADMSG, "netdev-%u.img: device %s: invalid attributes", ns->id, entry->name);
	return 0;
}

static int check_name(const struct ns *ns, const NetDeviceEntry *entry)
{
	const char *name = entry->name;

	if (!name[0] || strlen(name) >= IFNAMSIZ || strchr(name, '/') || !strcmp(name, ".") || !strcmp(name, ".."))
		return fail(-EBADMSG, "netdev-%u.img: invalid name of a device: %s", ns->id, name);
	if (!entry->ifindex || entry->ifindex > INT32_MAX)
		return fail(-EBADMSG, "netdev-%u.img: device %s: invalid index %u", ns->id, name, entry->ifindex);
	return 0;
}

static int load_device(const struct ns *ns, const NetDeviceEntry *entry, struct net_device *ret)
{
	struct conf_list conf4 = { entry->conf4, entry->n_conf4 }, conf6 = { entry->conf6, entry->n_conf6 };
	int err = check_name(ns, entry);

	if (!err && entry->type != ND_TYPE__LOOPBACK)
		err = fail(-EOPNOTSUPP, "netdev-%u.img: device %s: restoring devices of type %d is not implemented",
			   ns->id, entry->name, entry->type);
	if (!err && strcmp(entry->name, "lo"))
		err = fail(-EBADMSG, "netdev-%u.img: a loopback device with the name %s", ns->id, entry->name);
	if (!err)
		err = conf_check("netdev", ns->id, CONF_IPV4, &conf4);
	if (!err)
		err = conf_check("netdev", ns->id, CONF_IPV6, &conf6);
	if (!err)
		err = check_attributes(ns, entry);
	*ret = (struct net_device){ .entry = entry, .ns = ns };
	return err;
}

int net_devices_load(struct restore *r, const struct ns *ns, struct net_state *state)
{
	struct restore_records records = { 0 };
	int err = restore_read_records(r, IMAGE_NETDEV, ns->id, &net_device_entry__descriptor, &records);

	if (err)
		return err;
	state->devices = restore_alloc(r, (records.n + 1) * sizeof(*state->devices));
	if (!state->devices)
		return fail(-ENOMEM, "network devices");
	for (size_t i = 0; !err && i < records.n; i++)
		err = load_device(ns, (const NetDeviceEntry *)records.v[i], &state->devices[state->nr_devices++]);
	return err;
}
