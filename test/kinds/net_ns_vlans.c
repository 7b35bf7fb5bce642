// SPDX-License-Identifier: GPL-2.0-only
/*
 * The VLANs of bridges and of their ports: the default one kept, changed and removed, ranges, tunnels, options of a VLAN, entries of the
 * forwarding table in one. Needs a kernel whose bridges know VLANs.
 * test: breaks=5 decode=yes
 */
#include "net_show.h"
#include <sched.h>
#include <stdlib.h>

static const char setup[] =
	"ip link add br0 address 02:00:00:00:01:01 type bridge vlan_filtering 1 vlan_default_pvid 7 vlan_stats_per_port 1;"
	"ip link add br1 address 02:00:00:00:01:02 type bridge vlan_filtering 1 vlan_protocol 802.1ad;"
	"ip link add br2 address 02:00:00:00:01:03 type bridge; ip link add br3 type bridge vlan_filtering 1 vlan_default_pvid 0;"
	"for i in 0 1 2 3; do ip link add v$i type veth peer name w$i; done;"
	"ip link set v0 master br0; ip link set v1 master br0; ip link set v2 master br1; ip link set v3 master br2;"
	"bridge vlan add dev v0 vid 100-199; bridge vlan add dev v0 vid 300 pvid untagged; bridge vlan del dev v1 vid 7;"
	"bridge vlan add dev v1 vid 5 untagged; bridge vlan add dev br0 vid 100-150 self; bridge vlan del dev br0 vid 7 self;"
	"bridge vlan add dev v2 vid 2-4094; bridge vlan add dev v3 vid 20; bridge vlan del dev v3 vid 1;"
	"bridge link set dev v1 vlan_tunnel on; bridge vlan add dev v1 vid 50-59; bridge vlan add dev v1 vid 50-59 tunnel_info id 1050-1059;"
	"bridge vlan set dev v0 vid 110-120 state blocking; bridge vlan set dev v0 vid 100 mcast_router 2;"
	"for i in br0 br1 br2 br3 v0 v1 v2 v3 w0 w1 w2 w3; do ip link set $i up; done;"
	"bridge fdb add 02:00:00:00:00:aa dev v0 vlan 100 master static; bridge fdb add 02:00:00:00:00:ab dev v0 vlan 105 master permanent";

static const char shows[] =
	"PATH=/usr/sbin:/usr/bin:/sbin:/bin; { bridge vlan show; bridge -d vlan show; bridge vlan tunnelshow; bridge fdb show | grep -e permanent -e static | sort;"
	"ip -d link show type bridge | sed 's/[a-z_]*_timer *[0-9.]*//g'; } >%s 2>&1";

static void show(const char *path)
{
	char script[1024];

	snprintf(script, sizeof(script), shows, path);
	need(!system(script), "%s", script);
}

static bool differs(void)
{
	show("now");
	return system("diff before now") != 0;
}

int main(int argc, char **argv)
{
	int brk;

	test_init(argc, argv);
	net_need_tools();
	if (system("PATH=/usr/sbin:/usr/bin:/sbin:/bin; bridge -V") != 0)
		test_skip("no bridge(8) (package iproute2)");
	need(!unshare(CLONE_NEWNET), "unshare");
	if (system("PATH=/usr/sbin:/usr/bin:/sbin:/bin; ip link set lo up && ip link add probe type bridge vlan_filtering 1 && ip link del probe") !=
	    0)
		test_skip("this kernel's bridges have no VLANs (CONFIG_BRIDGE_VLAN_FILTERING)");
	net_do(setup);
	sleep_ms(2500); /* the state of the devices settles */
	show("before");

	brk = checkpoint_here();
	if (brk == 1)
		net_do("bridge vlan del dev v0 vid 150");
	if (brk == 2)
		net_do("bridge vlan add dev br0 vid 7 self pvid untagged");
	if (brk == 3)
		net_do("bridge vlan set dev v0 vid 115 state forwarding");
	if (brk == 4)
		net_do("bridge vlan del dev v1 vid 55 tunnel_info id 1055");
	if (brk == 5)
		net_do("bridge vlan add dev v3 vid 1");

	for (double until = now_s() + 30; differs() && now_s() < until;)
		sleep_ms(500);
	check(!differs(), "the VLANs differ");
	test_done();
}
