// SPDX-License-Identifier: GPL-2.0-only
/* How many of its queues a veth device uses: ethtool -L. A new one uses all that it has been created with. Others cannot change that. */
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/if.h>
#include <linux/sockios.h>
#include <string.h>
#include <sys/ioctl.h>
#include "base/bits.h"
#include "internal.h"
#include "util/log.h"

enum { RX, TX, COMBINED, COUNTS };

static int ask(struct nl_sock *route, const char *device, struct ethtool_channels *channels)
{
	struct ifreq ifr = { .ifr_data = (void *)channels };

	memcpy(ifr.ifr_name, device, strnlen(device, IFNAMSIZ - 1));
	return ioctl(netlink_fd(route), SIOCETHTOOL, &ifr) ? -errno : 0;
}

int net_channels_save(struct dump *dump, struct nl_sock *route, NetDeviceEntry *entry)
{
	struct ethtool_channels now = { .cmd = ETHTOOL_GCHANNELS };
	int err = entry->type == ND_TYPE__VETH ? ask(route, entry->name, &now) : -EOPNOTSUPP;

	/* Kernels before 5.14, too. */
	if (err == -EOPNOTSUPP)
		return 0;
	if (err)
		return err == -ENODEV ? err : fail(err, "queues of network device %s (ethtool -l)", entry->name);
	entry->channels = dump_alloc(dump, COUNTS * sizeof(*entry->channels));
	if (!entry->channels)
		return fail(-ENOMEM, "network devices");
	entry->n_channels = COUNTS;
	entry->channels[RX] = now.rx_count;
	entry->channels[TX] = now.tx_count;
	entry->channels[COMBINED] = 0;
	return 0;
}

bool net_channels_are_valid(const NetDeviceEntry *entry)
{
	return !entry->n_channels || entry->n_channels == COUNTS;
}

static int fill_device(const struct net_state *state, const NetDeviceEntry *entry)
{
	const uint32_t *saved = entry->channels;
	struct ethtool_channels now = { .cmd = ETHTOOL_GCHANNELS };
	int err = ask(state->route, entry->name, &now);

	if (err == -EOPNOTSUPP) {
		log_warn("network device %s: this kernel cannot tell how many queues are in use", entry->name);
		return 0;
	}
	/* Some kernels count them as combined, too, and do not accept that back. */
	if (!err && now.rx_count == saved[RX] && now.tx_count == saved[TX])
		return 0;
	now.cmd = ETHTOOL_SCHANNELS;
	now.rx_count = saved[RX];
	now.tx_count = saved[TX];
	if (!err)
		err = ask(state->route, entry->name, &now);
	return err ? fail(err, "network device %s: use %u queues to receive, %u to send, %u for both (ethtool -L)",
			  entry->name, saved[RX], saved[TX], saved[COMBINED]) :
		     0;
}

int net_channels_fill(const struct net_state *state)
{
	int err = 0;

	for (size_t i = 0; !err && i < state->nr_devices; i++)
		if (state->devices[i].entry->n_channels && !state->devices[i].left_out)
			err = fill_device(state, state->devices[i].entry);
	return err;
}
