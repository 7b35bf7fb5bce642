// SPDX-License-Identifier: GPL-2.0-only
/*
 * Queueing disciplines of network devices, in each other, with classes; the order in which the kernel lists them is not that in which they
 * have to be created.
 * test: breaks=3 decode=yes
 */
#include "net_show.h"
#include <sched.h>
#include <stdlib.h>

static const char setup[] =
	"ip link set lo up; ip link add v0 type veth peer name v1; ip link set v0 up; ip link set v1 up; ip link add ifb0 type ifb;"
	"tc qdisc add dev v0 root handle 1: htb default 11 r2q 20 direct_qlen 77;"
	"tc class add dev v0 parent 1: classid 1:90 htb rate 10mbit ceil 20mbit burst 15k;"
	"tc class add dev v0 parent 1:90 classid 1:50 htb rate 5mbit ceil 7mbit;"
	"tc class add dev v0 parent 1:50 classid 1:11 htb rate 1mbit prio 3 quantum 5000;"
	"tc class add dev v0 parent 1:90 classid 1:12 htb rate 40gbit ceil 50gbit mtu 9000;"
	"tc qdisc add dev v0 parent 1:11 handle 4: bfifo limit 5000; tc qdisc add dev v0 parent 1:12 handle 3: htb;"
	"tc class add dev v0 parent 3: classid 3:1 htb rate 3mbit;"
	"tc qdisc add dev ifb0 root handle 5: tbf rate 1mbit burst 10k latency 1s peakrate 2mbit minburst 1600;"
	"tc qdisc add dev ifb0 parent 5:1 handle 6: pfifo limit 12; ip link set ifb0 up;"
	"tc qdisc add dev v1 clsact; tc qdisc add dev v1 root handle 7: tbf rate 9mbit burst 20k limit 3000; tc qdisc add dev ifb0 ingress";

static void show(const char *path)
{
	char script[512];

	snprintf(
		script, sizeof(script),
		"PATH=/usr/sbin:/usr/bin:/sbin:/bin; { tc -d -r qdisc show; for d in v0 v1 ifb0; do tc -d -r class show dev $d; done; } |"
		" sed 's/direct_packets_stat [0-9]*//' | sort >%s 2>&1",
		path);
	need(!system(script), "%s", script);
}

int main(int argc, char **argv)
{
	int brk;

	test_init(argc, argv);
	net_need_tools();
	need(!unshare(CLONE_NEWNET), "unshare");
	if (system("tc qdisc add dev lo root handle 1: htb && tc qdisc del dev lo root && tc qdisc add dev lo clsact && tc qdisc del dev lo clsact") !=
	    0)
		test_skip("no tc(8) (package iproute2), or no htb or clsact in the kernel");
	net_do(setup);
	show("before");

	brk = checkpoint_here();
	if (brk == 1)
		net_do("tc qdisc change dev v0 parent 1:11 handle 4: bfifo limit 6000");
	if (brk == 2)
		net_do("tc class change dev v0 parent 1:50 classid 1:11 htb rate 2mbit prio 3");
	if (brk == 3)
		net_do("tc qdisc del dev v1 clsact");

	show("now");
	if (system("diff before now") != 0)
		check(false, "the queueing disciplines differ");
	test_done();
}
