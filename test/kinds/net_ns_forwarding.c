// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a user has added to forwarding tables: addresses and multicast groups of a bridge, addresses that devices accept, one of them
 * joined by a protocol, too. Labels of IPv6 addresses, one of the kernel's own removed.
 * test: breaks=5 decode=yes
 */
#include "net_show.h"
#include <sched.h>
#include <stdlib.h>

static const char setup[] =
	"ip link set lo up; ip link add br0 address 02:00:00:00:01:01 type bridge mcast_igmp_version 3; ip link set br0 up;"
	"ip link add v0 type veth peer name v1; ip link set v0 master br0; ip link set v0 up; ip link set v1 up;"
	"ip link add mv0 link v1 type macvlan; ip link set mv0 up;"
	"bridge fdb add 02:00:00:00:00:aa dev v0 master static; bridge fdb add 02:00:00:00:00:ab dev v0 master permanent;"
	"bridge fdb add 02:00:00:00:00:b0 dev v0 master static sticky; bridge fdb add 02:00:00:00:00:ad dev v0 self;"
	"bridge fdb add 02:00:00:00:00:ae dev br0 self; bridge fdb add 02:00:00:00:00:b1 dev v0 master extern_learn;"
	"ip maddr add 33:33:00:00:12:34 dev v1; ip maddr add 01:00:5e:00:00:01 dev v1;"
	"bridge mdb add dev br0 port v0 grp 239.1.1.1 permanent; bridge mdb add dev br0 port v0 grp ff15::1 permanent;"
	"bridge mdb add dev br0 port v0 grp 239.1.1.3 src 10.1.1.1 permanent; bridge mdb add dev br0 port v0 grp 239.1.1.4 temp;"
	"ip addrlabel add prefix 2001:db8::/32 label 77; ip addrlabel add prefix 2001:db9::/32 dev v1 label 78; ip addrlabel del prefix fec0::/10 label 11";

/* Not what the bridge has learned, whose state depends on when packets arrive. */
static const char shows[] =
	"PATH=/usr/sbin:/usr/bin:/sbin:/bin; { bridge -d fdb show | grep -e '^02:00:00:00:00' -e permanent | sort;"
	"bridge -d mdb show | grep 'proto static' | sort; sort /proc/net/dev_mcast; ip addrlabel list | sort; } >%s 2>&1";

static void show(const char *path)
{
	char script[1024];

	snprintf(script, sizeof(script), shows, path);
	need(!system(script), "%s", script);
}

int main(int argc, char **argv)
{
	int brk;

	test_init(argc, argv);
	net_need_tools();
	if (system("bridge -V") != 0)
		test_skip("no bridge(8) (package iproute2)");
	need(!unshare(CLONE_NEWNET), "unshare");
	net_do(setup);
	sleep_ms(2500); /* the addresses that the kernel has invented are no longer tentative */
	show("before");

	brk = checkpoint_here();
	if (brk == 1)
		net_do("bridge fdb del 02:00:00:00:00:aa dev v0 master");
	if (brk == 2)
		net_do("bridge mdb del dev br0 port v0 grp ff15::1 permanent");
	if (brk == 3)
		net_do("ip maddr del 01:00:5e:00:00:01 dev v1");
	if (brk == 4)
		net_do("bridge fdb del 02:00:00:00:00:ad dev v0 self");
	if (brk == 5)
		net_do("ip addrlabel add prefix fec0::/10 label 11");

	show("now");
	if (system("diff before now") != 0)
		check(false, "the forwarding tables differ");
	test_done();
}
