// SPDX-License-Identifier: GPL-2.0-only
/* Reads and checks netdev-N, and finds what each device is connected to. */
#include <errno.h>
#include <linux/if.h>
#include <linux/if_link.h>
#include <stdio.h>
#include <string.h>
#include "attributes.h"
#include "device_kinds.h"
#include "run/external.h"
#include "util/log.h"
#include "util/str.h"

static bool is_good_name(const char *name)
{
	return name[0] && strlen(name) < IFNAMSIZ && !strchr(name, '/') && strcmp(name, ".") && strcmp(name, "..");
}

static int check_entry(const struct ns *ns, const NetDeviceEntry *entry)
{
	const struct conf_list conf4 = { entry->conf4, entry->n_conf4 }, conf6 = { entry->conf6, entry->n_conf6 };
	int err;

	if (!is_good_name(entry->name))
		return fail(-EBADMSG, "netdev-%u.img: invalid name of a device: %s", ns->id, entry->name);
	if (!entry->ifindex || entry->ifindex > INT32_MAX)
		return fail(-EBADMSG, "netdev-%u.img: device %s: invalid index %u", ns->id, entry->name,
			    entry->ifindex);
	if (entry->has_address && entry->address.len > 32)
		return fail(-EBADMSG, "netdev-%u.img: device %s: an address of %zu bytes", ns->id, entry->name,
			    entry->address.len);
	if (net_attributes_check(entry->attributes.data, entry->attributes.len))
		return fail(-EBADMSG, "netdev-%u.img: device %s: invalid attributes", ns->id, entry->name);
	if (!net_features_are_valid(entry))
		return fail(-EBADMSG, "netdev-%u.img: device %s: invalid features", ns->id, entry->name);
	if (!net_settings_are_valid(entry) || !net_channels_are_valid(entry))
		return fail(-EBADMSG, "netdev-%u.img: device %s: invalid settings", ns->id, entry->name);
	err = conf_check("netdev", ns->id, CONF_IPV4, &conf4);
	return err ? err : conf_check("netdev", ns->id, CONF_IPV6, &conf6);
}

static int load_device(struct restore *r, const struct ns *ns, const NetDeviceEntry *entry, struct net_device *ret)
{
	int err = check_entry(ns, entry);

	*ret = (struct net_device){ .entry = entry, .ns = ns, .kind = device_kind_of(entry) };
	if (!err && !ret->kind)
		err = fail(-EOPNOTSUPP, "netdev-%u.img: device %s: restoring devices of type %d%s%s is not implemented",
			   ns->id, entry->name, entry->type, entry->kind ? ", kind " : "",
			   entry->kind ? entry->kind : "");
	if (!err && entry->type == ND_TYPE__LOOPBACK && (strcmp(entry->name, "lo") || entry->ifindex != 1))
		err = fail(-EBADMSG, "netdev-%u.img: a loopback device with the name %s and index %u", ns->id,
			   entry->name, entry->ifindex);
	if (!err && device_unknown_property(ret->kind, net_find_attribute(entry, IFLA_LINKINFO)))
		err = fail(-EOPNOTSUPP, "netdev-%u.img: device %s has an unknown property (IFLA_INFO_DATA, number %d)",
			   ns->id, entry->name,
			   device_unknown_property(ret->kind, net_find_attribute(entry, IFLA_LINKINFO)));
	return err || entry->type != ND_TYPE__TUN ? err : net_tun_load(r, ret);
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
		err = load_device(r, ns, (const NetDeviceEntry *)records.v[i], &state->devices[state->nr_devices++]);
	return err;
}

/* ---- connections ---- */

static struct net_device *find_device(const struct restore *r, uint32_t ns_id, uint32_t index)
{
	const struct ns *ns;

	ns_for_each(ns, &r->plan.namespaces, NS_NET) {
		struct net_state *state = ns->id == ns_id ? ns->data : NULL;

		for (size_t i = 0; state && i < state->nr_devices; i++)
			if (state->devices[i].entry->ifindex == index)
				return &state->devices[i];
	}
	return NULL;
}

static const char *find_external(const struct options *opts, const char *type, const char *name)
{
	char id[64];

	snprintf(id, sizeof(id), "%s[%s]", type, name);
	return external_key(opts, id);
}

static const char *outer_end(const struct options *opts, const char *name)
{
	const char *given = find_external(opts, "veth", name);

	for (size_t i = 0; !given && i < opts->veth_pairs_nr; i++)
		if (str_eq(opts->veth_pairs[i].key, name))
			given = opts->veth_pairs[i].val;
	return given;
}

/* "OUT" or "OUT@BRIDGE" */
static int set_outer(struct restore *r, struct net_device *device, const char *given)
{
	const char *at = strchr(given, '@');
	size_t len = at ? (size_t)(at - given) : strlen(given);
	char *name = restore_alloc(r, len + 1);

	if (!name)
		return fail(-ENOMEM, "network devices");
	memcpy(name, given, len);
	device->outer = name;
	device->bridge = at ? at + 1 : NULL;
	if (!is_good_name(name) || (device->bridge && !is_good_name(device->bridge)))
		return fail(-EINVAL, "--external veth[%s]:%s: expected NAME or NAME@BRIDGE", device->entry->name,
			    given);
	return 0;
}

static int connect_veth(struct restore *r, struct net_device *device)
{
	const char *given;

	if (device->peer && device->peer != device && device->peer->kind->type == ND_TYPE__VETH) {
		device->peer->peer = device;
		return 0;
	}
	device->peer = NULL;
	given = outer_end(r->opts, device->entry->name);
	if (given)
		return set_outer(r, device, given);
	return fail(
		-ENODEV,
		"netdev-%u.img: the other end of the veth device %s was outside of the tree: name it with --external "
		"'veth[%s]:NAME' or 'veth[%s]:NAME@BRIDGE'",
		device->ns->id, device->entry->name, device->entry->name, device->entry->name);
}

static int connect_device(struct restore *r, struct net_device *device)
{
	const NetDeviceEntry *entry = device->entry;

	if (entry->has_peer_nsid && entry->has_peer_ifindex)
		device->peer = find_device(r, entry->peer_nsid, entry->peer_ifindex);
	if (device->kind->type == ND_TYPE__VETH)
		return connect_veth(r, device);
	if (!device->kind->needs_link || (device->peer && device->peer != device))
		return 0;
	device->peer = NULL;
	device->outer_parent = find_external(r->opts, "macvlan", entry->name);
	if (device->outer_parent)
		return 0;
	return fail(
		-ENODEV,
		"netdev-%u.img: the device below %s was outside of the tree: name one with --external 'macvlan[%s]:NAME'",
		device->ns->id, entry->name, entry->name);
}

int net_devices_link(struct restore *r)
{
	struct ns *ns;
	int err = 0;

	ns_for_each(ns, &r->plan.namespaces, NS_NET) {
		struct net_state *state = ns->data;

		for (size_t i = 0; !err && state && i < state->nr_devices; i++)
			err = connect_device(r, &state->devices[i]);
	}
	return err;
}
