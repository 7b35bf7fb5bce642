// SPDX-License-Identifier: GPL-2.0-only
/*
 * What devices offload: features that ethtool -K has switched on and off (loopback, veth, bridge), and TUNSETOFFLOAD of a tap device.
 * test: breaks=3 decode=yes
 */
#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include "net_show.h"

#define WORDS 4u

static const char *const devices[] = { "lo", "v0", "v1", "br0", "tap0" };
enum { DEVICES = sizeof(devices) / sizeof(devices[0]) };

struct get {
	struct ethtool_gfeatures head;
	struct ethtool_get_features_block blocks[WORDS];
};
struct set {
	struct ethtool_sfeatures head;
	struct ethtool_set_features_block blocks[WORDS];
};

static int sk;

static int ask(const char *device, void *request)
{
	struct ifreq ifr = { .ifr_data = request };

	strcpy(ifr.ifr_name, device);
	return ioctl(sk, SIOCETHTOOL, &ifr);
}

static int number_of(const char *feature)
{
	static struct {
		struct ethtool_gstrings head;
		char names[WORDS * 32][ETH_GSTRING_LEN];
	} all;

	all.head = (struct ethtool_gstrings){ .cmd = ETHTOOL_GSTRINGS, .string_set = ETH_SS_FEATURES };
	need(!ask("lo", &all), "names of features: %m");
	for (unsigned i = 0; i < all.head.len; i++)
		if (!strcmp(all.names[i], feature))
			return (int)i;
	fprintf(stderr, "%s\n", feature);
	test_skip("this kernel lacks a feature of devices");
}

static struct get get(const char *device)
{
	struct get g = { .head = { .cmd = ETHTOOL_GFEATURES, .size = WORDS } };

	need(!ask(device, &g), "features of %s: %m", device);
	return g;
}

static void set(const char *device, const char *feature, bool on)
{
	const int n = number_of(feature);
	const struct get before = get(device);
	struct set s = { .head = { .cmd = ETHTOOL_SFEATURES, .size = before.head.size } };

	s.blocks[n / 32].valid = 1u << n % 32;
	s.blocks[n / 32].requested = on ? 1u << n % 32 : 0;
	need(ask(device, &s) >= 0, "%s of %s: %m", feature, device);
}

static void flip(const char *device, const char *feature)
{
	const int n = number_of(feature);
	const struct get g = get(device);

	need(g.blocks[n / 32].available & 1u << n % 32, "%s has no %s", device, feature);
	set(device, feature, !(g.blocks[n / 32].requested & 1u << n % 32));
}

static int open_tap(void)
{
	struct ifreq ifr = { .ifr_name = "tap0", .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		test_skip("no /dev/net/tun");
	need(!ioctl(fd, TUNSETIFF, &ifr), "TUNSETIFF: %m");
	need(!ioctl(fd, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6), "TUNSETOFFLOAD: %m");
	return fd;
}

int main(int argc, char **argv)
{
	struct get before[DEVICES];
	int brk, tap;

	test_init(argc, argv);
	net_need_tools();
	need(!unshare(CLONE_NEWNET), "unshare");
	sk = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	need(sk >= 0, "socket: %m");
	net_do("ip link set lo up; ip link add v0 type veth peer name v1; ip link add br0 type bridge; ip link set v0 master br0;"
	       "ip link set v0 up; ip link set v1 up; ip link set br0 up");
	tap = open_tap();
	net_do("ip link set tap0 up");
	flip("lo", "rx-gro");
	flip("v0", "tx-tcp-segmentation");
	flip("v0", "rx-gro");
	flip("v1", "rx-gro-list");
	flip("br0", "tx-generic-segmentation");
	flip("tap0", "tx-generic-segmentation");
	for (int i = 0; i < DEVICES; i++)
		before[i] = get(devices[i]);

	brk = checkpoint_here();
	if (brk == 1)
		flip("lo", "rx-gro");
	if (brk == 2)
		need(!ioctl(tap, TUNSETOFFLOAD, TUN_F_CSUM), "TUNSETOFFLOAD: %m");
	if (brk == 3)
		flip("v1", "rx-gro-list");

	for (int i = 0; i < DEVICES; i++) {
		const struct get now = get(devices[i]);

		for (unsigned w = 0; w < before[i].head.size; w++) {
			const struct ethtool_get_features_block *a = &before[i].blocks[w], *b = &now.blocks[w];

			check(a->available == b->available && a->requested == b->requested && a->active == b->active,
			      "%s, features from %u on: available %#x, requested %#x, active %#x, before %#x, %#x, %#x",
			      devices[i], w * 32, b->available, b->requested, b->active, a->available, a->requested,
			      a->active);
		}
	}
	test_done();
}
