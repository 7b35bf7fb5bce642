// SPDX-License-Identifier: GPL-2.0-only
/*
 * Spanning trees: ports that forwarded do so at once, one that was blocked does not; states of ports that have been set by hand.
 * test: breaks=2 decode=yes
 */
#include <sched.h>
#include "net_show.h"

/* Ports and their states. */
#define STATES \
	"PATH=/usr/sbin:/usr/bin:/sbin:/bin; bridge link | sed -E 's/^[0-9]+: ([^@:]*).* state ([a-z]*) .*/\\1 \\2/' | sort"

static bool has(const char *port, const char *state)
{
	char script[256];

	snprintf(script, sizeof(script), STATES " | grep -q '^%s %s$'", port, state);
	return !system(script);
}

static void wait_for(const char *port, const char *state)
{
	const double until = now_s() + 60;

	while (!has(port, state) && now_s() < until)
		sleep_ms(100);
	check(has(port, state), "%s is not %s", port, state);
}

/* The blocked one of two connections between a bridge and the root. */
#define LOOP                                                                                                                \
	"ip link add top address 02:00:00:00:00:01 type bridge stp_state 1 priority 1 forward_delay 200 hello_time 100;"    \
	"ip link add low address 02:00:00:00:00:02 type bridge stp_state 1 forward_delay 200 hello_time 100;"               \
	"for i in 0 1; do ip link add t$i type veth peer name l$i; ip link set t$i master top; ip link set l$i master low;" \
	"ip link set t$i up; ip link set l$i up; done; ip link set top up; ip link set low up;"

int main(int argc, char **argv)
{
	int brk;

	test_init(argc, argv);
	net_need_tools();
	need(!unshare(CLONE_NEWNET), "unshare");
	net_do("ip link set lo up; ip link add tree type bridge stp_state 1 forward_delay 200; ip link add plain type bridge;"
	       "for i in 0 1 2 3; do ip link add v$i type veth peer name w$i; done; ip link set v0 master tree; ip link set v3 master tree;"
	       "ip link set v1 master plain; ip link set v2 master plain; for i in 0 1 2; do ip link set v$i up; ip link set w$i up; done;"
	       "ip link set tree up; ip link set plain up;" LOOP);
	wait_for("v0", "forwarding");
	wait_for("l0", "forwarding");
	wait_for("l1", "blocking");
	wait_for("v1", "forwarding");
	wait_for("v2", "forwarding");
	/* A port that began anew would forward after a minute. */
	net_do("bridge link set dev v1 state 1; bridge link set dev v2 state 0; ip link set tree type bridge forward_delay 3000");

	brk = checkpoint_here();
	if (brk == 1)
		net_do("ip link set v0 down; ip link set v0 up");
	if (brk == 2)
		net_do("bridge link set dev v2 state 3");

	check(has("v0", "forwarding"), "v0 does not forward");
	check(has("v1", "listening"), "v1 is not as it was set");
	check(has("v2", "disabled"), "v2 is not disabled");
	check(has("v3", "disabled"), "v3, which is down, is not disabled");
	check(!has("l1", "forwarding"), "there is a loop");
	wait_for("l1", "blocking");
	wait_for("l0", "forwarding");
	net_do("ip -d link show tree | grep -q 'stp_state 1'; ip -d link show low | grep -q 'stp_state 1'; ip -d link show plain | grep -q 'stp_state 0'");
	test_done();
}
