// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices of tunnel modules (sit0, tunl0, gre0...) that are in each namespace while the module is loaded: they can neither be created
 * nor deleted, nor get another index. Which ones there are differs from kernel to kernel.
 */
#include <errno.h>
#include <linux/if.h>
#include "device_kinds.h"
#include "util/log.h"

extern unsigned int if_nametoindex(const char *name); /* style: <net/if.h> conflicts with <linux/if.h> */

static bool is_used(const NetDeviceEntry *entry)
{
	return (entry->flags & IFF_UP) || (entry->has_master && entry->master);
}

static int find(struct net_device *device)
{
	const NetDeviceEntry *entry = device->entry;
	const unsigned index = if_nametoindex(entry->name);

	device->left_out = index != entry->ifindex;
	device->made = true;
	if (!device->left_out)
		return 0;
	if (!is_used(entry)) {
		log_info("device %s is not restored: the kernel %s, and it was not in use", entry->name,
			 index ? "has given it another index" : "does not have it");
		return 0;
	}
	return fail(
		-EOPNOTSUPP, "netdev-%u.img: device %s, which kernels create themselves, was in use with index %u: %s",
		device->ns->id, entry->name, entry->ifindex,
		index ? "it has another one here" : "this kernel does not have it (load its module, or set it down)");
}

int net_fallbacks_find(struct restore *r, struct net_state *state)
{
	int err = 0;

	for (size_t i = 0; !err && i < state->nr_devices; i++)
		if (device_is_fallback(state->devices[i].entry->name))
			err = find(&state->devices[i]);
	return err;
}
