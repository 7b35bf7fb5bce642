// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices of network namespaces of all kinds that this kernel has: vxlan (with its forwarding table, on another device that is
 * created after it), vlan, ipvlan, vrf, geneve, tunnels, dummy.
 * test: net=own breaks=2 decode=yes
 */
#include "net_show.h"
#include <sched.h>

/* One that the kernel does not know leaves no trace. */
static void try_to_add(const char *words)
{
	char script[512];
	int status;

	snprintf(script, sizeof(script), "PATH=/usr/sbin:/usr/bin:/sbin:/bin; ip link add %s 2>/dev/null", words);
	status = system(script);
	if (WIFEXITED(status) && !WEXITSTATUS(status))
		printf("%s\n", words);
}

int main(int argc, char **argv)
{
	static const char *const all[] = {
		"dum0 type dummy",
		"vl5 link ifb5 type vlan id 55 reorder_hdr off loose_binding on",
		"ipv0 link w0 type ipvlan mode l3",
		"vrf0 type vrf table 77",
		"gen0 type geneve id 9 remote 10.5.0.7 ttl 4",
		"sit1 type sit local 10.5.0.1 remote 10.5.0.9 ttl 6",
		"ipip1 type ipip local 10.5.0.1 remote 10.5.0.9 ttl 7",
		"gre1 type gre local 10.5.0.1 remote 10.5.0.9 key 9",
		"gretap1 type gretap local 10.5.0.1 remote 10.5.0.9",
		"ip6tnl1 type ip6tnl local fd05::1 remote fd05::2",
	};
	int brk;

	test_init(argc, argv);
	net_need_tools();
	need(!unshare(CLONE_NEWNET), "unshare");
	net_do("ip link set lo up; ip link add ifb5 index 60 type ifb; ip link add w0 type veth peer name w1; ip addr add 10.5.0.1/24 dev w0;"
	       "ip link set w0 up; ip link set w1 up; ip link set ifb5 up;"
	       "ip link add vx0 index 20 type vxlan id 42 local 10.5.0.1 remote 10.5.0.2 dstport 4789 dev ifb5 ageing 77 l2miss srcport 1000 2000 tos 3"
	       "  ttl inherit;"
	       "ip link add vx1 type vxlan id 43 group 239.1.1.1 dstport 4790 dev w0 ttl 5 nolearning gbp;"
	       "ip link add vx2 type vxlan external dstport 4791; ip link set vx2 alias tunnels mtu 1300;"
	       "ip link add vx3 type vxlan id 44 dstport 4792 nolearning; ip link set vx3 up; ip link set vx0 up; ip addr add 10.66.0.1/24 dev vx0;"
	       "bridge fdb append 00:00:00:00:00:00 dev vx3 dst 10.5.0.3; bridge fdb append 00:00:00:00:00:00 dev vx3 dst 10.5.0.4 port 99 vni 7;"
	       "bridge fdb add 02:00:00:00:00:09 dev vx3 dst 10.5.0.9; ip link add br0 address 02:00:00:00:00:ee type bridge; ip link set vx3 master br0");
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		try_to_add(all[i]);
	sleep_ms(2500); /* addresses are no longer tentative */
	net_do("bridge fdb show | sort >fdb");
	net_show("before");

	brk = checkpoint_here();
	if (brk == 1)
		net_do("bridge fdb del 02:00:00:00:00:09 dev vx3");
	if (brk == 2)
		net_do("ip link set vx2 mtu 1301");

	net_check_same("before");
	net_do("bridge fdb show | sort | diff fdb -");
	test_done();
}
