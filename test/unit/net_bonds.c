// SPDX-License-Identifier: GPL-2.0-only
/* Bonds: the requests that are made of what the kernel reports; where the kernel has them, that it takes these. */
#include <linux/if_bonding.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/bits.h"
#include "kinds/ns/net/attributes.h"
#include "kinds/ns/net/bonds.h"
#include "kinds/ns/net/device_kinds.h"
#include "util_check.h"

#define PATH "PATH=/usr/sbin:/usr/bin:/sbin:/bin; "
#define FAILED BIT(63)
enum { LAST = BOND_LAST_SETTING };

/* Those of dump/ need a dump. */
void dump_blocker(struct dump *dump, const struct dump_task *task, int fd, const char *fmt, ...)
{
}

void *dump_alloc(struct dump *dump, size_t len)
{
	return NULL;
}

static void number(struct route_batch *b, int type, uint32_t value, size_t len)
{
	route_attr(b, type, &value, len);
}

/* As the kernel reports it: all properties, whatever the mode is. */
static NetDeviceEntry reported(struct route_batch *b, uint8_t mode, uint32_t miimon, const char *actor)
{
	static const unsigned char of_one_byte[] = { 6, 12, 13, 14, 16, 17, 21, 22, 27, 29, 30, 32, 33 };
	static const unsigned char of_four[] = { 4, 5, 7, 9, 10, 15, 18, 19, 20, 28 };
	NetDeviceEntry entry = NET_DEVICE_ENTRY__INIT;
	struct nlattr *info, *data, *nest;

	route_message(b, RTM_NEWLINK, 0, NULL, 0);
	info = route_nest(b, IFLA_LINKINFO);
	route_attr_str(b, IFLA_INFO_KIND, "bond");
	data = route_nest(b, IFLA_INFO_DATA);
	number(b, IFLA_BOND_MODE, mode, 1);
	number(b, IFLA_BOND_MIIMON, miimon, 4);
	number(b, IFLA_BOND_PRIMARY, 11, 4);
	number(b, IFLA_BOND_ACTIVE_SLAVE, 12, 4);
	for (size_t i = 0; i < ARRAY_SIZE(of_one_byte); i++)
		number(b, of_one_byte[i], 1, 1);
	for (size_t i = 0; i < ARRAY_SIZE(of_four); i++)
		number(b, of_four[i], 1, 4);
	nest = route_nest(b, IFLA_BOND_ARP_IP_TARGET);
	route_attr_u32(b, 0, 0x0100007f);
	route_nest_end(b, nest);
	nest = route_nest(b, IFLA_BOND_AD_INFO);
	number(b, IFLA_BOND_AD_INFO_AGGREGATOR, 1, 2);
	route_nest_end(b, nest);
	number(b, IFLA_BOND_AD_ACTOR_SYS_PRIO, 9, 2);
	number(b, IFLA_BOND_AD_USER_PORT_KEY, 9, 2);
	route_attr(b, IFLA_BOND_AD_ACTOR_SYSTEM, actor, 6);
	route_nest_end(b, data);
	route_nest_end(b, info);
	route_message_end(b);
	entry.type = ND_TYPE__EXTLINK;
	entry.kind = (char *)"bond";
	entry.name = (char *)"b0";
	entry.ifindex = 10;
	entry.attributes.data = (void *)(b->bytes.data + NLMSG_HDRLEN);
	entry.attributes.len = b->bytes.len - NLMSG_HDRLEN;
	return entry;
}

/* Bits of the attributes in IFLA_INFO_DATA (or IFLA_INFO_SLAVE_DATA) of the only message. */
static uint64_t found_in(const struct route_batch *b, int of)
{
	struct nlmsghdr *m = (struct nlmsghdr *)b->bytes.data;
	const struct nlattr *data, *attr;
	uint64_t found = 0;
	int left;

	if (!b->nr)
		return 0;
	data = netlink_nested(nlmsg_find_attr(m, sizeof(struct ifinfomsg), IFLA_LINKINFO), of);
	if (data)
		nla_for_each_nested(attr, (struct nlattr *)data, left) found |= BIT(nla_type(attr));
	return found;
}

static uint64_t at_birth(uint8_t mode, uint32_t miimon, const char *actor)
{
	_cleanup_route_batch_ struct route_batch from = { .err = 0 }, made = { .err = 0 };
	NetDeviceEntry entry = reported(&from, mode, miimon, actor);

	if (device_unknown_property(device_kind_of(&entry), net_find_attribute(&entry, IFLA_LINKINFO)))
		return FAILED;
	route_message(&made, RTM_NEWLINK, 0, &(struct ifinfomsg){ 0 }, sizeof(struct ifinfomsg));
	device_add_info(&made, &entry);
	route_message_end(&made);
	return made.err ? FAILED : found_in(&made, IFLA_INFO_DATA);
}

#define DELAYS (BIT(IFLA_BOND_UPDELAY) | BIT(IFLA_BOND_DOWNDELAY) | BIT(28))
#define BY_ARP (BIT(IFLA_BOND_ARP_INTERVAL) | BIT(IFLA_BOND_ARP_VALIDATE) | BIT(30))
#define LACP                                                                                                          \
	(BIT(IFLA_BOND_AD_LACP_RATE) | BIT(29) | BIT(IFLA_BOND_AD_ACTOR_SYS_PRIO) | BIT(IFLA_BOND_AD_USER_PORT_KEY) | \
	 BIT(IFLA_BOND_AD_ACTOR_SYSTEM) | BIT(32) | BIT(33))
/* What all modes have. */
#define ALWAYS                                                                                                      \
	((BIT(LAST + 1) - 2) &                                                                                      \
	 ~(DELAYS | BY_ARP | LACP | BIT(IFLA_BOND_AD_INFO) | BIT(IFLA_BOND_PRIMARY) | BIT(IFLA_BOND_ACTIVE_SLAVE) | \
	   BIT(IFLA_BOND_PACKETS_PER_SLAVE) | BIT(31) | BIT(IFLA_BOND_TLB_DYNAMIC_LB)))

static void birth(void)
{
	static const char actor[] = "\2\0\0\0\0\1", none[6];

	CHECK(at_birth(BOND_MODE_ROUNDROBIN, 0, actor) == (ALWAYS | BY_ARP | BIT(IFLA_BOND_PACKETS_PER_SLAVE)));
	CHECK(at_birth(BOND_MODE_ACTIVEBACKUP, 100, actor) == (ALWAYS | BY_ARP | DELAYS));
	CHECK(at_birth(BOND_MODE_XOR, 0, actor) == (ALWAYS | BY_ARP));
	CHECK(at_birth(BOND_MODE_8023AD, 100, actor) == (ALWAYS | DELAYS | LACP));
	CHECK(at_birth(BOND_MODE_8023AD, 100, none) == (ALWAYS | DELAYS | (LACP & ~BIT(IFLA_BOND_AD_ACTOR_SYSTEM))));
	CHECK(at_birth(BOND_MODE_TLB, 0, actor) == (ALWAYS | BIT(IFLA_BOND_TLB_DYNAMIC_LB)));
	CHECK(at_birth(BOND_MODE_ALB, 0, actor) == ALWAYS);
	/* A mode of the future, or of a bad image: the kernel decides. */
	CHECK(at_birth(77, 0, actor) == ALWAYS);
}

static uint64_t chosen(uint8_t mode, void (*set)(struct route_batch *, const NetDeviceEntry *))
{
	_cleanup_route_batch_ struct route_batch from = { .err = 0 }, made = { .err = 0 };
	NetDeviceEntry entry = reported(&from, mode, 0, "\2\0\0\0\0\1");

	set(&made, &entry);
	if (made.nr && ((struct ifinfomsg *)nlmsg_data((void *)made.bytes.data))->ifi_index != 10)
		return FAILED;
	return made.err ? FAILED : found_in(&made, IFLA_INFO_DATA);
}

static void ports_chosen(void)
{
	CHECK(chosen(BOND_MODE_ACTIVEBACKUP, bond_set_primary) == BIT(IFLA_BOND_PRIMARY));
	CHECK(chosen(BOND_MODE_ALB, bond_set_active) == BIT(IFLA_BOND_ACTIVE_SLAVE));
	CHECK(!chosen(BOND_MODE_8023AD, bond_set_primary) && !chosen(BOND_MODE_XOR, bond_set_active));
}

/* A port, as the kernel reports it. */
static NetDeviceEntry port(struct route_batch *b, const char *kind, uint16_t queue, int32_t prio, uint16_t actor_prio)
{
	NetDeviceEntry entry = NET_DEVICE_ENTRY__INIT;
	struct nlattr *info, *data;

	route_message(b, RTM_NEWLINK, 0, NULL, 0);
	info = route_nest(b, IFLA_LINKINFO);
	route_attr_str(b, IFLA_INFO_SLAVE_KIND, kind);
	data = route_nest(b, IFLA_INFO_SLAVE_DATA);
	number(b, IFLA_BOND_SLAVE_STATE, 1, 1);
	number(b, IFLA_BOND_SLAVE_MII_STATUS, 1, 1);
	number(b, IFLA_BOND_SLAVE_LINK_FAILURE_COUNT, 1, 4);
	route_attr(b, IFLA_BOND_SLAVE_PERM_HWADDR, "\2\0\0\0\0\7", 6);
	number(b, IFLA_BOND_SLAVE_QUEUE_ID, queue, 2);
	number(b, IFLA_BOND_SLAVE_AD_AGGREGATOR_ID, 1, 2);
	number(b, 9, (uint32_t)prio, 4);
	number(b, 10, actor_prio, 2);
	route_nest_end(b, data);
	route_nest_end(b, info);
	route_message_end(b);
	entry.attributes.data = (void *)(b->bytes.data + NLMSG_HDRLEN);
	entry.attributes.len = b->bytes.len - NLMSG_HDRLEN;
	return entry;
}

static uint64_t of_port(const char *kind, uint16_t queue, int32_t prio, uint16_t actor_prio)
{
	_cleanup_route_batch_ struct route_batch from = { .err = 0 }, made = { .err = 0 };
	NetDeviceEntry entry = port(&from, kind, queue, prio, actor_prio);

	if (!device_has_port(&entry))
		return FAILED;
	route_message(&made, RTM_NEWLINK, 0, &(struct ifinfomsg){ 0 }, sizeof(struct ifinfomsg));
	device_add_port(&made, &entry);
	route_message_end(&made);
	return found_in(&made, IFLA_INFO_SLAVE_DATA);
}

static void ports(void)
{
	_cleanup_route_batch_ struct route_batch b = { .err = 0 }, other = { .err = 0 };
	NetDeviceEntry entry = port(&b, "bond", 0, 0, 0), bridge = port(&other, "bridge", 0, 0, 0);
	const struct nlattr *address = bond_address_of_port(&entry);

	CHECK(address && nla_len(address) == 6 && !memcmp(nla_data(address), "\2\0\0\0\0\7", 6));
	CHECK(!bond_address_of_port(&bridge));
	CHECK(of_port("bond", 0, 0, 255) == 0);
	CHECK(of_port("bond", 3, -5, 100) == (BIT(IFLA_BOND_SLAVE_QUEUE_ID) | BIT(9) | BIT(10)));
	CHECK(of_port("vrf", 3, -5, 100) == FAILED);
	CHECK(of_port("bridge", 0, 0, 0) != FAILED);
}

/* ---- the kernel ---- */

static int keep_info(struct nlmsghdr *message, void *arg)
{
	struct nlattr *name = nlmsg_find_attr(message, sizeof(struct ifinfomsg), IFLA_IFNAME);
	struct nlattr *info = nlmsg_find_attr(message, sizeof(struct ifinfomsg), IFLA_LINKINFO);
	static const char zeros[NLA_ALIGNTO];

	if (!name || strcmp(nla_get_string(name), "b0") || !info)
		return 0;
	return buf_add(arg, info, info->nla_len) ? -1 : buf_add(arg, zeros, NLA_ALIGN(info->nla_len) - info->nla_len);
}

static int info_of(struct nl_sock *route, NetDeviceEntry *entry, struct buf *to)
{
	const struct ifinfomsg any = { .ifi_family = AF_UNSPEC };
	int err = route_list(route, &(struct route_query){ RTM_GETLINK, &any, sizeof(any), keep_info, to });

	net_device_entry__init(entry);
	entry->type = ND_TYPE__EXTLINK;
	entry->kind = (char *)"bond";
	entry->attributes.data = (void *)to->data;
	entry->attributes.len = to->len;
	return err;
}

static bool has_bonds(void)
{
	return !unshare(CLONE_NEWNET) && !system(PATH "ip link add probe type bond 2>/dev/null && ip link del probe");
}

/* A bond that is made of what the kernel reports of another one is the same. */
static void again(const char *options)
{
	_cleanup_buf_ struct buf saved = { 0 }, now = { 0 };
	_cleanup_netlink_ struct nl_sock *from = NULL, *to = NULL;
	_cleanup_route_batch_ struct route_batch b = { .err = 0 };
	NetDeviceEntry first, second;
	char script[256];

	snprintf(script, sizeof(script), PATH "ip link add b0 type bond %s", options);
	CHECK(!unshare(CLONE_NEWNET) && !route_open(&from) && !system(script));
	CHECK(!info_of(from, &first, &saved) && saved.len);
	CHECK(!unshare(CLONE_NEWNET) && !route_open(&to));
	route_message(&b, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &(struct ifinfomsg){ 0 }, sizeof(struct ifinfomsg));
	route_attr_str(&b, IFLA_IFNAME, "b0");
	device_add_info(&b, &first);
	route_message_end(&b);
	CHECK(!route_batch_run(&b, to, net_failed, (void *)"bond"));
	CHECK(!info_of(to, &second, &now) && now.len == saved.len && !memcmp(now.data, saved.data, now.len));
}

static void kernel(void)
{
	again("mode balance-rr packets_per_slave 3");
	again("mode active-backup arp_interval 200 arp_ip_target 10.0.0.1,10.0.0.2 arp_validate active");
	again("mode active-backup miimon 100 updelay 200 downdelay 300 fail_over_mac active num_grat_arp 4");
	again("mode balance-xor xmit_hash_policy layer3+4 min_links 2");
	again("mode 802.3ad lacp_rate fast miimon 50 ad_select bandwidth ad_user_port_key 7");
	again("mode balance-tlb tlb_dynamic_lb 0 miimon 100");
	again("mode balance-alb all_slaves_active 1 miimon 100 resend_igmp 7");
}

int main(void)
{
	RUN(birth);
	RUN(ports_chosen);
	RUN(ports);
	if (has_bonds())
		RUN(kernel);
	else
		printf("skip kernel: no own network namespace, no ip(8), or no bonds (CONFIG_BONDING)\n");
	DONE();
}
