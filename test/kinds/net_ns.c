// SPDX-License-Identifier: GPL-2.0-only
/*
 * A network namespace with loopback only: its properties, addresses (also those that a device has got by itself, and has lost),
 * routes of several tables, rules, nexthops, neighbours, sysctls that depend on each other.
 * test: breaks=5 decode=yes user-root=host,net
 */
#include "net_show.h"
#include <sched.h>
#include <stdlib.h>

static const char setup[] =
	"ip link set lo up mtu 60000 alias 'the loop' txqueuelen 77 group 5; ip link property add dev lo altname loopy altname "
	"a-longer-name-than-usual; ip link set lo gso_max_size 30000 promisc on;"
	"ip addr add 10.1.0.1/24 dev lo; ip addr add 10.1.0.2/24 dev lo label lo:2; ip addr add 10.1.0.3/32 dev lo noprefixroute;"
	"ip addr add 10.7.0.1 peer 10.7.0.2/32 dev lo; ip addr add fd00::5/64 dev lo; ip addr add fd00::6/128 dev lo nodad;"
	"ip addr del ::1/128 dev lo; ip addr add fd00:9::1/64 dev lo preferred_lft 0;"
	"ip route add 10.9.0.0/16 via 10.1.0.77 metric 7; ip route add 10.9.0.0/16 via 10.1.0.78 metric 6;"
	"ip route add 10.10.0.0/16 dev lo table 100; ip route add blackhole 10.11.0.0/16 table 4000;"
	"ip route add 10.13.0.0/16 nexthop via 10.1.0.5 weight 3 nexthop via 10.1.0.6; ip route add unreachable default metric 99;"
	"ip route add 10.14.0.0/16 via 10.1.0.9 src 10.1.0.2 mtu 1300 advmss 500 table 77;"
	"ip -6 route add fd01::/64 dev lo metric 55; ip -6 route add prohibit fd02::/64 table 66;"
	"ip route del local 10.7.0.1 dev lo table local; ip rule add from 10.1.0.0/24 lookup 100; ip rule add fwmark 7/15 lookup 77 pref 50;"
	"ip rule del pref 32767; ip -6 rule add from fd00::/64 iif lo lookup 66 pref 77;"
	"if test -e /proc/sys/net/mptcp; then ip mptcp limits set subflow 3 add_addr_accepted 2; ip mptcp endpoint add 10.7.7.7 dev lo id 9 subflow"
	"  backup; ip addr add 10.6.6.6/32 dev lo; ip mptcp endpoint add 10.6.6.6 id 4 port 999 signal; fi;"
	"ip neigh add 10.1.0.99 lladdr 00:11:22:33:44:55 dev lo; ip neigh add proxy 10.1.0.98 dev lo;"
	"ip -6 neigh add proxy fd00::98 dev lo; ip nexthop add id 7 dev lo; ip nexthop add id 9 blackhole;"
	"ip nexthop add id 3 group 7; ip route add 10.12.0.0/16 nhid 3; ip route add 10.15.0.0/16 nhid 9;"
	"cd /proc/sys/net; set_to() { echo \"$2\" >$1; };"
	"set_to ipv4/ip_local_port_range '2000 3000'; set_to ipv4/ip_unprivileged_port_start 1500; set_to core/somaxconn 77;"
	"set_to ipv4/conf/all/forwarding 1; set_to ipv4/conf/all/accept_redirects 1; set_to ipv4/conf/lo/rp_filter 2;"
	"set_to ipv4/conf/lo/arp_evict_nocarrier 0; set_to ipv4/conf/default/rp_filter 1; set_to ipv6/conf/lo/hop_limit 33;"
	"set_to ipv6/conf/default/accept_ra 0; set_to ipv6/conf/all/disable_policy 1; set_to ipv6/conf/default/router_solicitation_delay 9;"
	"set_to ipv6/conf/default/stable_secret 2001:db8::1; set_to ipv6/conf/default/addr_gen_mode 2;"
	"set_to ipv4/ping_group_range '0 5'; set_to unix/max_dgram_qlen 37; set_to ipv4/ip_local_reserved_ports 2100-2105,2200;"
	"set_to ipv4/tcp_rmem '5000 60000 700000'; set_to ipv4/neigh/lo/gc_stale_time 61; set_to ipv6/neigh/lo/mcast_solicit 4;"
	"if test -e ipv6/conf/lo/ra_defrtr_metric; then set_to ipv6/conf/lo/ra_defrtr_metric 3000000000; fi";

int main(int argc, char **argv)
{
	int brk;

	test_init(argc, argv);
	net_need_tools();
	need(!unshare(CLONE_NEWNET), "unshare");
	net_do(setup);
	net_show("before");

	brk = checkpoint_here();
	if (brk == 1)
		net_do("ip link property del dev lo altname loopy");
	if (brk == 2)
		net_do("ip route del 10.14.0.0/16 table 77");
	if (brk == 3)
		net_do("ip -6 rule del pref 77");
	if (brk == 4)
		net_do("echo 78 >/proc/sys/net/core/somaxconn");
	if (brk == 5)
		net_do("ip addr add ::1/128 dev lo");

	net_check_same("before");
	/* Routes of the kernel's own come and go as before. */
	net_do("ip link set lo down; ip link set lo up; ip addr show dev lo | grep -q 127.0.0.1");
	test_done();
}
