// SPDX-License-Identifier: GPL-2.0-only
/* VLANs of bridges: the requests that are made of what the kernel lists, and, where the kernel has them, that they have this effect. */
#include <errno.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/bits.h"
#include "kinds/ns/net/device_kinds.h"
#include "util_check.h"

#define PATH "PATH=/usr/sbin:/usr/bin:/sbin:/bin; "
#define BRIDGES                                                                                                       \
	PATH "set -e; ip link add br0 type bridge vlan_filtering 1 vlan_default_pvid 7; ip link add br1 type bridge;" \
	     "for i in 0 1 2; do ip link add v$i type veth peer name w$i; done;"                                      \
	     "ip link set v0 master br0; ip link set v1 master br0; ip link set v2 master br1; bridge link set dev v1 vlan_tunnel on"

static int blockers;

/* Those of dump/ need a dump. */
void dump_blocker(struct dump *dump, const struct dump_task *task, int fd, const char *fmt, ...)
{
	blockers++;
}

void *dump_alloc(struct dump *dump, size_t len)
{
	return NULL;
}

/* ---- requests ---- */

static const struct br_vlan_msg head = { .family = AF_BRIDGE, .ifindex = 5 };

/* As the kernel lists it: a VLAN with all options. */
static void list_vlan(struct route_batch *b, struct bridge_vlan_info info, uint16_t last, const uint8_t options[4],
		      uint32_t tunnel)
{
	static const int numbers[] = { BRIDGE_VLANDB_ENTRY_STATE, BRIDGE_VLANDB_ENTRY_MCAST_ROUTER, 7, 9 };
	struct nlattr *entry = route_nest(b, BRIDGE_VLANDB_ENTRY), *nest;

	route_attr(b, BRIDGE_VLANDB_ENTRY_INFO, &info, sizeof(info));
	if (last)
		route_attr(b, BRIDGE_VLANDB_ENTRY_RANGE, &last, sizeof(last));
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		route_attr(b, numbers[i], &options[i], 1);
	if (tunnel) {
		nest = route_nest(b, BRIDGE_VLANDB_ENTRY_TUNNEL_INFO);
		route_attr_u32(b, BRIDGE_VLANDB_TINFO_ID, tunnel);
		route_nest_end(b, nest);
	}
	route_nest_end(b, entry);
}

/* Those of the first entry in the request; tb[0]: the next entry. */
static void entry_of(const struct route_batch *b, const struct nlattr *tb[10])
{
	struct nlmsghdr *m = (struct nlmsghdr *)b->bytes.data;
	struct nlattr *attr = nlmsg_find_attr(m, sizeof(head), BRIDGE_VLANDB_ENTRY);

	for (int i = 1; i < 10; i++)
		tb[i] = netlink_nested(attr, i);
	tb[0] = (void *)((char *)attr + NLA_ALIGN(attr->nla_len));
}

static void requests(void)
{
	static const uint8_t usual[] = { BR_STATE_FORWARDING, 1, 0, 0 }, special[] = { BR_STATE_BLOCKING, 2, 3, 1 };
	_cleanup_route_batch_ struct route_batch listed = { .err = 0 }, made = { .err = 0 };
	const struct nlattr *tb[10], *info, *tunnel;

	route_message(&listed, RTM_NEWVLAN, 0, &head, sizeof(head));
	list_vlan(&listed, (struct bridge_vlan_info){ BRIDGE_VLAN_INFO_UNTAGGED | BRIDGE_VLAN_INFO_PVID, 300 }, 0,
		  usual, 0);
	list_vlan(&listed, (struct bridge_vlan_info){ 0, 400 }, 450, special, 1400);
	route_message_end(&listed);
	CHECK(!listed.err && !net_vlans_add((void *)listed.bytes.data, &made) && made.nr == 1 && !made.err);
	CHECK(((struct nlmsghdr *)made.bytes.data)->nlmsg_type == RTM_NEWVLAN);
	CHECK(((struct br_vlan_msg *)nlmsg_data((void *)made.bytes.data))->ifindex == 5);

	/* What a new one has anyway is left out: the kernel refuses some of it. */
	entry_of(&made, tb);
	info = tb[BRIDGE_VLANDB_ENTRY_INFO];
	CHECK(info && ((struct bridge_vlan_info *)nla_data(info))->vid == 300);
	CHECK(((struct bridge_vlan_info *)nla_data(info))->flags ==
	      (BRIDGE_VLAN_INFO_UNTAGGED | BRIDGE_VLAN_INFO_PVID));
	for (int i = BRIDGE_VLANDB_ENTRY_RANGE; i < 10; i++)
		CHECK(!tb[i]);

	CHECK(nla_type(tb[0]) == BRIDGE_VLANDB_ENTRY);
	info = netlink_nested(tb[0], BRIDGE_VLANDB_ENTRY_RANGE);
	CHECK(info && nla_get_u16((void *)info) == 450);
	info = netlink_nested(tb[0], BRIDGE_VLANDB_ENTRY_STATE);
	CHECK(info && nla_get_u8((void *)info) == BR_STATE_BLOCKING);
	info = netlink_nested(tb[0], BRIDGE_VLANDB_ENTRY_MCAST_ROUTER);
	CHECK(info && nla_get_u8((void *)info) == 2);
	CHECK(!netlink_nested(tb[0], 7)); /* the number of groups is a state */
	CHECK(netlink_nested(tb[0], 9));
	tunnel = netlink_nested(tb[0], BRIDGE_VLANDB_ENTRY_TUNNEL_INFO);
	info = netlink_nested(tunnel, BRIDGE_VLANDB_TINFO_ID);
	CHECK(info && nla_get_u32((void *)info) == 1400);
	info = netlink_nested(tunnel, BRIDGE_VLANDB_TINFO_CMD);
	CHECK(info && nla_get_u32((void *)info) == RTM_SETLINK);
}

static void malformed(void)
{
	for (int length = 0; length < 4; length++) {
		_cleanup_route_batch_ struct route_batch listed = { .err = 0 }, made = { .err = 0 };
		struct nlattr *entry;

		route_message(&listed, RTM_NEWVLAN, 0, &head, sizeof(head));
		entry = route_nest(&listed, BRIDGE_VLANDB_ENTRY);
		route_attr(&listed, BRIDGE_VLANDB_ENTRY_INFO, "abc", (size_t)length);
		route_nest_end(&listed, entry);
		route_message_end(&listed);
		CHECK(net_vlans_add((void *)listed.bytes.data, &made) == -EBADMSG);
	}
}

/* ---- the kernel ---- */

static bool has_vlans(void)
{
	if (!unshare(CLONE_NEWNET) &&
	    !system(PATH "ip link add probe type bridge vlan_filtering 1 && ip link del probe"))
		return true;
	return false;
}

static int list(struct nl_sock *route, struct buf *to)
{
	return net_vlans_list(NULL, &(struct ns){ .id = 1 }, route, &(struct net_found){ true, true }, to);
}

/* The properties of br0. */
static int keep_info(struct nlmsghdr *message, void *arg)
{
	struct nlattr *name = nlmsg_find_attr(message, sizeof(struct ifinfomsg), IFLA_IFNAME);
	struct nlattr *info = nlmsg_find_attr(message, sizeof(struct ifinfomsg), IFLA_LINKINFO);
	static const char zeros[NLA_ALIGNTO];

	if (!name || strcmp(nla_get_string(name), "br0") || !info)
		return 0;
	return buf_add(arg, info, info->nla_len) ? -1 : buf_add(arg, zeros, NLA_ALIGN(info->nla_len) - info->nla_len);
}

static int info_of(struct nl_sock *route, NetDeviceEntry *entry, struct buf *to)
{
	const struct ifinfomsg any = { .ifi_family = AF_UNSPEC };
	int err = route_list(route, &(struct route_query){ RTM_GETLINK, &any, sizeof(any), keep_info, to });

	net_device_entry__init(entry);
	entry->type = ND_TYPE__BRIDGE;
	entry->attributes.data = (void *)to->data;
	entry->attributes.len = to->len;
	return err;
}

static bool is_same_property(const NetDeviceEntry *a, const NetDeviceEntry *b, int type)
{
	const struct nlattr *x, *y;

	x = netlink_nested(netlink_nested((void *)a->attributes.data, IFLA_INFO_DATA), type);
	y = netlink_nested(netlink_nested((void *)b->attributes.data, IFLA_INFO_DATA), type);
	return x && y && x->nla_len == y->nla_len && !memcmp(nla_data(x), nla_data(y), (size_t)nla_len(x));
}

/* A bridge that is created from what the kernel reports of another one. */
static void bridge_again(void)
{
	static const int properties[] = { IFLA_BR_VLAN_FILTERING, IFLA_BR_VLAN_PROTOCOL, IFLA_BR_VLAN_DEFAULT_PVID,
					  IFLA_BR_VLAN_STATS_PER_PORT };
	_cleanup_buf_ struct buf saved = { 0 }, now = { 0 };
	_cleanup_netlink_ struct nl_sock *from = NULL, *to = NULL;
	_cleanup_route_batch_ struct route_batch b = { .err = 0 };
	NetDeviceEntry first, second;

	CHECK(!unshare(CLONE_NEWNET) && !route_open(&from));
	CHECK(!system(PATH "ip link add br0 type bridge vlan_filtering 1 vlan_protocol 802.1ad vlan_default_pvid 9 "
			   "vlan_stats_per_port 1"));
	CHECK(!info_of(from, &first, &saved) && saved.len);
	CHECK(!unshare(CLONE_NEWNET) && !route_open(&to));
	route_message(&b, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &(struct ifinfomsg){ 0 }, sizeof(struct ifinfomsg));
	route_attr_str(&b, IFLA_IFNAME, "br0");
	device_add_info(&b, &first);
	route_message_end(&b);
	CHECK(!route_batch_run(&b, to, net_failed, (void *)"bridge"));
	CHECK(!info_of(to, &second, &now) && now.len);
	for (size_t i = 0; i < ARRAY_SIZE(properties); i++)
		CHECK(is_same_property(&first, &second, properties[i]));
}

/* A bridge whose properties show that its kernel has VLANs. */
static NetDeviceEntry bridge(struct route_batch *b)
{
	static const uint8_t on = 1;
	NetDeviceEntry entry = NET_DEVICE_ENTRY__INIT;
	struct nlattr *info, *data;

	route_message(b, RTM_NEWLINK, 0, NULL, 0);
	info = route_nest(b, IFLA_LINKINFO);
	data = route_nest(b, IFLA_INFO_DATA);
	route_attr(b, IFLA_BR_VLAN_DEFAULT_PVID, "\1", 2);
	route_attr(b, IFLA_BR_VLAN_FILTERING, &on, 1);
	route_nest_end(b, data);
	route_nest_end(b, info);
	route_message_end(b);
	entry.type = ND_TYPE__BRIDGE;
	entry.attributes.data = (void *)(b->bytes.data + NLMSG_HDRLEN);
	entry.attributes.len = b->bytes.len - NLMSG_HDRLEN;
	return entry;
}

/* While there is a spanning tree, the kernel takes no state of a VLAN: bridges are created without one. */
static void no_tree_at_birth(void)
{
	_cleanup_route_batch_ struct route_batch from = { .err = 0 }, made = { .err = 0 };
	NetDeviceEntry entry = NET_DEVICE_ENTRY__INIT;
	const struct nlattr *info;
	struct nlattr *nest, *data;

	route_message(&from, RTM_NEWLINK, 0, NULL, 0);
	nest = route_nest(&from, IFLA_LINKINFO);
	data = route_nest(&from, IFLA_INFO_DATA);
	route_attr_u32(&from, IFLA_BR_FORWARD_DELAY, 200);
	route_attr_u32(&from, IFLA_BR_STP_STATE, 1);
	route_nest_end(&from, data);
	route_nest_end(&from, nest);
	route_message_end(&from);
	entry.type = ND_TYPE__BRIDGE;
	entry.attributes.data = (void *)(from.bytes.data + NLMSG_HDRLEN);
	entry.attributes.len = from.bytes.len - NLMSG_HDRLEN;
	route_message(&made, RTM_NEWLINK, 0, &(struct ifinfomsg){ 0 }, sizeof(struct ifinfomsg));
	device_add_info(&made, &entry);
	route_message_end(&made);
	info = nlmsg_find_attr((void *)made.bytes.data, sizeof(struct ifinfomsg), IFLA_LINKINFO);
	CHECK(netlink_nested(netlink_nested(info, IFLA_INFO_DATA), IFLA_BR_FORWARD_DELAY));
	CHECK(!netlink_nested(netlink_nested(info, IFLA_INFO_DATA), IFLA_BR_STP_STATE));
}

static int clear(const struct nlmsghdr *message, void *arg)
{
	((struct nlmsghdr *)message)->nlmsg_seq = ((struct nlmsghdr *)message)->nlmsg_pid = 0;
	return 0;
}

static bool same(const struct buf *a, const struct buf *b)
{
	const struct net_messages x = { a->data, a->len }, y = { b->data, b->len };

	return !net_messages_each(&x, clear, NULL) && !net_messages_each(&y, clear, NULL) && a->len == b->len &&
	       !memcmp(a->data, b->data, a->len);
}

static void kernel(void)
{
	_cleanup_route_batch_ struct route_batch b = { .err = 0 };
	_cleanup_buf_ struct buf saved = { 0 }, other = { 0 }, now = { 0 };
	_cleanup_netlink_ struct nl_sock *from = NULL, *to = NULL;
	NetDeviceEntry entry = bridge(&b);
	struct net_device device = { .entry = &entry };
	struct net_state state = { .devices = &device, .nr_devices = 1 };

	CHECK(net_has_vlan_tables(&entry) && net_filters_vlans(&entry));
	CHECK(!unshare(CLONE_NEWNET) && !route_open(&from) && !system(BRIDGES));
	CHECK(!system(
		PATH
		"set -e; bridge vlan add dev v0 vid 100-199; bridge vlan add dev v0 vid 300 pvid untagged;"
		"bridge vlan del dev v1 vid 7; bridge vlan add dev v1 vid 5 untagged; bridge vlan add dev br0 vid 100-150 self;"
		"bridge vlan del dev br0 vid 7 self; bridge vlan add dev v2 vid 2-4094; bridge vlan del dev br1 vid 1 self;"
		"bridge vlan add dev v1 vid 50-59; bridge vlan add dev v1 vid 50-59 tunnel_info id 1050-1059;"
		"bridge vlan set dev v0 vid 110-120 state blocking; bridge vlan set dev v0 vid 100 mcast_router 2"));
	CHECK(!list(from, &saved) && !blockers);
	CHECK(!unshare(CLONE_NEWNET) && !route_open(&to) && !system(BRIDGES));
	CHECK(!list(to, &other) && !same(&saved, &other));
	state.route = to;
	state.lists[NET_VLANS] = (struct net_messages){ saved.data, saved.len };
	CHECK(!net_vlans_fill(&state) && !list(to, &now));
	CHECK(same(&saved, &now));
}

int main(void)
{
	RUN(requests);
	RUN(malformed);
	RUN(no_tree_at_birth);
	if (has_vlans()) {
		RUN(kernel);
		RUN(bridge_again);
	} else {
		for (size_t i = 0; i < 2; i++)
			printf("skip %s: no own network namespace, no ip(8), or bridges without VLANs (CONFIG_BRIDGE_VLAN_FILTERING)\n",
			       i ? "bridge_again" : "kernel");
	}
	DONE();
}
