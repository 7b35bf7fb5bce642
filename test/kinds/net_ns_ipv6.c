// SPDX-License-Identifier: GPL-2.0-only
/*
 * Settings of IPv6 in generic netlink: source address of tunnels and keys of segment routing, namespaces and schemas of IOAM. A token,
 * as a device that does not forward, and one that does, may have it.
 * test: breaks=5 decode=yes
 */
#include "net_show.h"
#include <sched.h>
#include <stdlib.h>

#define PATH "PATH=/usr/sbin:/usr/bin:/sbin:/bin; "

static const char setup[] =
	"ip link set lo up; ip sr tunsrc set fc00::17; printf 'secret\\n' | setsid -w ip sr hmac set 17 sha256;"
	"printf 'other\\n' | setsid -w ip sr hmac set 18 sha1; ip ioam namespace add 5 data 1234 wide 77; ip ioam namespace add 6;"
	"ip ioam schema add 7 'the schema'; ip ioam namespace set 5 schema 7;"
	"ip link add v0 type veth peer name v1; ip link set v0 up; ip link set v1 up; ip token set ::17 dev v0;"
	"echo 2 >/proc/sys/net/ipv6/conf/v1/accept_ra; echo 1 >/proc/sys/net/ipv6/conf/v1/forwarding; ip token set ::18 dev v1";

static void show(const char *path)
{
	char script[512];

	snprintf(
		script, sizeof(script),
		PATH
		"{ ip sr tunsrc show; ip sr hmac show | sort; ip ioam namespace show | sort; ip ioam schema show | sort;"
		"ip token list | sort; } >%s 2>&1",
		path);
	need(!system(script), "%s", script);
}

int main(int argc, char **argv)
{
	int brk;

	test_init(argc, argv);
	net_need_tools();
	need(!unshare(CLONE_NEWNET), "unshare");
	if (system(PATH "ip sr tunsrc show && ip ioam namespace show") != 0 ||
	    access("/proc/sys/net/ipv6/seg6_flowlabel", F_OK))
		test_skip("no segment routing or no IOAM (CONFIG_IPV6_SEG6_LWTUNNEL, ip(8) of iproute2 5.15)");
	net_do(setup);
	show("before");
	if (system("grep -q 'hmac 17 algo' before && grep -q 'schema 7' before && grep -q fc00::17 before && grep -q 'token ::17' before") !=
	    0)
		check(false, "not all was set");

	brk = checkpoint_here();
	if (brk == 1)
		net_do("ip sr tunsrc set fc00::18");
	if (brk == 2)
		net_do("printf '\\n' | setsid -w ip sr hmac set 17 sha256");
	if (brk == 3)
		net_do("ip ioam namespace del 6");
	if (brk == 4)
		net_do("ip ioam namespace set 5 schema none");
	if (brk == 5)
		net_do("ip token set ::19 dev v1");

	show("now");
	if (system("diff before now") != 0)
		check(false, "the settings differ");
	test_done();
}
