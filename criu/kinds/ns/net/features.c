// SPDX-License-Identifier: GPL-2.0-only
/*
 * What devices leave to the hardware, or do for several packets at once: ethtool -k, and TUNSETOFFLOAD, which is such a setting of tun
 * devices. The numbers of features differ between kernels: images have their names, once for a namespace.
 */
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include "base/bits.h"
#include "base/cleanup.h"
#include "internal.h"
#include "util/log.h"
#include "util/str.h"

#define WORDS_MAX 8u /* 64 features today */
#define FEATURES_MAX (WORDS_MAX * 32)

/* TUN_F_*, newer than some headers */
enum { USO4_ = 0x20, USO6_ = 0x40, TUNNEL_GSO_ = 0x80, TUNNEL_CSUM_ = 0x100 };

enum { AVAILABLE, REQUESTED, ACTIVE, SETS };

/* Some kinds of devices have none; a kernel may be built without. */
static bool has_none(int err)
{
	return err == -EOPNOTSUPP;
}

/* Positive: done, but not all (ETHTOOL_F_WISH and others, of ETHTOOL_SFEATURES). */
static int ask(struct nl_sock *route, const char *device, void *request)
{
	struct ifreq ifr = { .ifr_data = request };
	int ret;

	memcpy(ifr.ifr_name, device, strnlen(device, IFNAMSIZ - 1));
	ret = ioctl(netlink_fd(route), SIOCETHTOOL, &ifr);
	return ret < 0 ? -errno : ret;
}

/* ---- names ---- */

static int count_names(struct nl_sock *route, const char *device, uint32_t *ret)
{
	union {
		struct ethtool_sset_info info;
		char room[sizeof(struct ethtool_sset_info) + sizeof(uint32_t)];
	} u = { .info = { .cmd = ETHTOOL_GSSET_INFO, .sset_mask = BIT(ETH_SS_FEATURES) } };
	int err = ask(route, device, &u);

	*ret = err || !u.info.sset_mask ? 0 : u.info.data[0];
	return err;
}

/* One a line; empty if there are none. */
static int read_names(struct nl_sock *route, const char *device, struct buf *to)
{
	_cleanup_free_ struct ethtool_gstrings *all = NULL;
	uint32_t n;
	int err = count_names(route, device, &n);

	if (err)
		return has_none(err) ? 0 : err;
	all = calloc(1, sizeof(*all) + (size_t)MIN_OF(n, FEATURES_MAX) * ETH_GSTRING_LEN);
	if (!all)
		return -ENOMEM;
	*all = (struct ethtool_gstrings){ .cmd = ETHTOOL_GSTRINGS, .string_set = ETH_SS_FEATURES };
	/* The kernel writes as many as it has. */
	err = n > FEATURES_MAX ? -E2BIG : ask(route, device, all);
	for (uint32_t i = 0; !err && i < n; i++) {
		const char *name = (const char *)all->data + (size_t)i * ETH_GSTRING_LEN;

		err = buf_add(to, name, strnlen(name, ETH_GSTRING_LEN));
		if (!err)
			err = buf_add(to, "\n", 1);
	}
	return err;
}

static uint32_t count_lines(const char *text, size_t len)
{
	uint32_t n = 0;

	for (size_t i = 0; i < len; i++)
		n += text[i] == '\n';
	return n;
}

/* ---- of one device ---- */

struct features {
	uint32_t words, v[SETS][WORDS_MAX];
};

static bool is_in(const struct features *f, int set, uint32_t i)
{
	return i / 32 < f->words && (f->v[set][i / 32] & (1u << i % 32));
}

/* @words: for that many names */
static int read_features(struct nl_sock *route, const char *device, uint32_t words, struct features *ret)
{
	union {
		struct ethtool_gfeatures head;
		char room[sizeof(struct ethtool_gfeatures) + WORDS_MAX * sizeof(struct ethtool_get_features_block)];
	} u = { .head = { .cmd = ETHTOOL_GFEATURES, .size = words } };
	int err = ask(route, device, &u);

	*ret = (struct features){ .words = words };
	for (uint32_t i = 0; !err && i < words; i++) {
		ret->v[AVAILABLE][i] = u.head.features[i].available;
		ret->v[REQUESTED][i] = u.head.features[i].requested;
		ret->v[ACTIVE][i] = u.head.features[i].active;
	}
	return err;
}

static uint32_t words_for(uint32_t names)
{
	return MIN_OF((names + 31) / 32, WORDS_MAX);
}

int net_features_save(struct dump *dump, struct nl_sock *route, NetnsEntry *netns, NetDeviceEntry *entry)
{
	_cleanup_buf_ struct buf names = { 0 };
	struct features now;
	int err = 0;

	if (!netns->feature_names) {
		err = read_names(route, entry->name, &names);
		if (!err)
			err = buf_add(&names, "", 1);
		if (!err && !(netns->feature_names = dump_strdup(dump, names.data)))
			err = -ENOMEM;
	}
	if (err)
		return err == -ENODEV ? err : fail(err, "names of the features of network devices (ethtool)");
	if (!*netns->feature_names)
		return 0;
	err = read_features(route, entry->name,
			    words_for(count_lines(netns->feature_names, strlen(netns->feature_names))), &now);
	if (has_none(err))
		return 0;
	if (err)
		return err == -ENODEV ? err : fail(err, "features of network device %s (ethtool)", entry->name);
	entry->features.len = SETS * now.words * sizeof(uint32_t);
	entry->features.data = dump_alloc(dump, entry->features.len);
	if (!entry->features.data)
		return fail(-ENOMEM, "network devices");
	for (int set = 0; set < SETS; set++)
		memcpy(entry->features.data + (size_t)set * now.words * sizeof(uint32_t), now.v[set],
		       now.words * sizeof(uint32_t));
	entry->has_features = true;
	return 0;
}

/* ---- restore ---- */

bool net_features_are_valid(const NetDeviceEntry *entry)
{
	const size_t unit = SETS * sizeof(uint32_t);

	return !entry->has_features || (!(entry->features.len % unit) && entry->features.len / unit <= WORDS_MAX);
}

static struct features saved_of(const NetDeviceEntry *entry)
{
	struct features f = { .words = (uint32_t)(entry->features.len / (SETS * sizeof(uint32_t))) };

	for (int set = 0; set < SETS; set++)
		memcpy(f.v[set], entry->features.data + (size_t)set * f.words * sizeof(uint32_t),
		       f.words * sizeof(uint32_t));
	return f;
}

/* The names of two kernels; the lines of a text, which is changed. */
struct names {
	char *saved[FEATURES_MAX], *now[FEATURES_MAX];
	uint32_t nr_saved, nr_now;
};

static uint32_t split(char *text, char **lines)
{
	uint32_t n = 0;

	for (char *line; n < FEATURES_MAX && (line = strsep(&text, "\n")) && (text || *line);)
		lines[n++] = line;
	return n;
}

/* The number here of a feature in images; nr_now: none. They are usually the same. */
static uint32_t number_of(const struct names *names, uint32_t saved)
{
	if (saved < names->nr_now && str_eq(names->now[saved], names->saved[saved]))
		return saved;
	for (uint32_t i = 0; i < names->nr_now; i++)
		if (*names->now[i] && str_eq(names->now[i], names->saved[saved]))
			return i;
	return names->nr_now;
}

union request {
	struct ethtool_sfeatures head;
	char room[sizeof(struct ethtool_sfeatures) + WORDS_MAX * sizeof(struct ethtool_set_features_block)];
};

/* Those that differ from what a new device has. */
static bool add_differences(const struct names *names, const struct features *saved, const struct features *now,
			    const char *device, union request *ret)
{
	bool any = false;

	for (uint32_t i = 0; i < names->nr_saved; i++) {
		const uint32_t n = number_of(names, i), bit = 1u << n % 32;
		const bool on = is_in(saved, REQUESTED, i);

		if (!is_in(saved, AVAILABLE, i))
			continue;
		if (!is_in(now, AVAILABLE, n) || n >= names->nr_now) {
			if (on != is_in(now, ACTIVE, n))
				log_warn("network device %s: its feature %s (ethtool -k) cannot be switched %s here",
					 device, names->saved[i], on ? "on" : "off");
			continue;
		}
		if (on == is_in(now, REQUESTED, n))
			continue;
		ret->head.features[n / 32].valid |= bit;
		ret->head.features[n / 32].requested |= on ? bit : 0;
		any = true;
	}
	return any;
}

static int fill_device(struct nl_sock *route, const struct names *names, const NetDeviceEntry *entry)
{
	union request request = { .head = { .cmd = ETHTOOL_SFEATURES, .size = words_for(names->nr_now) } };
	const struct features saved = saved_of(entry);
	struct features now;
	int err = read_features(route, entry->name, request.head.size, &now);

	if (!err && add_differences(names, &saved, &now, entry->name, &request))
		err = ask(route, entry->name, &request);
	if (err > 0) {
		log_warn("network device %s: not all of its features (ethtool -k) are what they were", entry->name);
		err = 0;
	}
	return err ? fail(err, "features of network device %s (ethtool -K)", entry->name) : 0;
}

int net_features_fill(const struct net_state *state)
{
	_cleanup_buf_ struct buf now = { 0 };
	_cleanup_free_ char *saved = NULL;
	struct names names = { .nr_saved = 0 };
	int err = 0;

	for (size_t i = 0; !err && i < state->nr_devices; i++) {
		const struct net_device *device = &state->devices[i];

		if (!device->entry->has_features || device->left_out || !state->entry->feature_names)
			continue;
		if (!saved) {
			saved = strdup(state->entry->feature_names);
			err = saved ? read_names(state->route, device->entry->name, &now) : -ENOMEM;
			if (!err)
				err = buf_add(&now, "", 1);
			if (err)
				return fail(err, "names of the features of network devices (ethtool)");
			names.nr_saved = split(saved, names.saved);
			names.nr_now = split(now.data, names.now);
		}
		err = fill_device(state->route, &names, device->entry);
	}
	return err;
}

/* ---- tun ---- */

unsigned net_features_of_tun(const struct net_state *state, const NetDeviceEntry *entry)
{
	static const struct {
		const char *name;
		unsigned offload;
	} rows[] = {
		{ "tx-checksum-ip-generic", TUN_F_CSUM },	  { "tx-tcp-segmentation", TUN_F_TSO4 },
		{ "tx-tcp6-segmentation", TUN_F_TSO6 },		  { "tx-tcp-ecn-segmentation", TUN_F_TSO_ECN },
		{ "tx-udp-segmentation", USO4_ | USO6_ },	  { "tx-udp_tnl-segmentation", TUNNEL_GSO_ },
		{ "tx-udp_tnl-csum-segmentation", TUNNEL_CSUM_ },
	};
	const char *names = state->entry->feature_names;
	const struct features saved = saved_of(entry);
	unsigned found = 0;

	for (uint32_t i = 0; entry->has_features && names && *names; i++) {
		const size_t len = strcspn(names, "\n");

		for (size_t j = 0; is_in(&saved, ACTIVE, i) && j < ARRAY_SIZE(rows); j++)
			if (strlen(rows[j].name) == len && !memcmp(rows[j].name, names, len))
				found |= rows[j].offload;
		names += len + (names[len] == '\n');
	}
	return found;
}
