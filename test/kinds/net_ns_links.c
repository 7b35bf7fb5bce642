// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices of network namespaces: pairs of veth in one namespace and between two, a bridge with ports, macvlan, ifb; with their
 * properties, addresses that can be used at once, routes by gateways. A connection between the namespaces continues.
 * test: net=own options=--tcp-established restore-options=--tcp-established breaks=4 decode=yes
 */
#include "inet.h"
#include "net_show.h"
#include <sched.h>

static const char in_root[] =
	"ip link set lo up; ip link add v0 index 30 address 02:00:00:00:00:01 txqueuelen 55 numtxqueues 3 numrxqueues 2 type veth"
	" peer name v1 address 02:00:00:00:00:02 index 20;"
	"ip addr add 10.5.0.1/24 dev v0; ip addr add fd05::1/64 dev v1 nodad; ip link set v0 up; ip link set v1 up;"
	"ip link add br0 type bridge ageing_time 1234 mcast_snooping 0; ip link add v2 index 77 type veth peer name v3;"
	"ip link set v2 master br0; ip link set br0 up; ip link set v2 up; ip link set v3 up;"
	"ip link set dev v2 type bridge_slave cost 33 hairpin on isolated on; ip addr add 10.8.0.1/24 dev br0;"
	"ip link add mv0 link v0 type macvlan mode bridge; ip link set mv0 up; ip link add mv1 link v0 type macvlan mode source;"
	"ip link set mv1 type macvlan macaddr add 02:11:11:11:11:11; ip link set mv1 type macvlan macaddr add 02:11:11:11:11:12;"
	"ip link add ifb7 txqueuelen 99 type ifb; ip link set ifb7 up; ip route add 10.55.0.0/16 via 10.5.0.9;"
	"ip link property add dev v0 altname veth-number-zero; ip link set v3 alias 'the third' mtu 1400 group 9;"
	"ip link set v1 addrgenmode none; echo 1 >/proc/sys/net/ipv6/conf/v3/forwarding;"
	"ip link add w0 type veth peer name w1; ip link add br1 type bridge; ip link set br1 up; ip link set w0 master br1 up";

static int other(void *arg)
{
	int fd;

	need(!unshare(CLONE_NEWNET), "unshare");
	/* Created here, moved there. */
	net_do("ip link set lo up; ip link add x0 index 40 address 02:00:00:00:01:01 type veth peer name x1 index 50;"
	       "ip link set x1 netns $(cat root.pid); ip addr add 10.20.0.2/24 dev x0; ip addr add fd20::2/64 dev x0 nodad;"
	       "ip link set x0 up");
	fd = inet_socket(AF_INET, SOCK_STREAM, 0);
	inet_bind(fd, AF_INET, "10.20.0.2", 99);
	need(!listen(fd, 5), "listen");
	task_ready("listening");
	fd = accept(fd, NULL, NULL);
	need(fd >= 0, "accept");
	checkpoint_task("connected", 0);
	while (access("compared", F_OK)) /* its devices exist as long as it does */
		sleep_ms(1);
	check(write(fd, "through", 7) == 7, "write");
	inet_bind(inet_socket(AF_INET6, SOCK_DGRAM, 0), AF_INET6, "fd20::2", 77); /* it is not tentative */
	/* Flags are as before, and the peer's namespace has the number that it had. */
	net_do("ip addr show dev x0 | grep -q 'fd20::2/64 scope global nodad'");
	return 0;
}

int main(int argc, char **argv)
{
	char got[16] = "", text[16];
	int fd, brk;
	pid_t pid;

	test_init(argc, argv);
	net_need_tools();
	need(!unshare(CLONE_NEWNET), "unshare");
	snprintf(text, sizeof(text), "%d", getpid());
	write_file("root.pid", text);
	net_do(in_root);
	pid = fork_task(other, NULL);
	await_task("listening");
	net_do("ip addr add 10.20.0.1/24 dev x1; ip link set x1 up");
	fd = inet_socket(AF_INET, SOCK_STREAM, 0);
	need(!inet_connect(fd, AF_INET, "10.20.0.2", 99), "connect");
	await_task("connected");
	sleep_ms(2500); /* the addresses that the kernel has invented are no longer tentative */
	net_show("before");

	brk = checkpoint_here();
	if (brk == 1)
		net_do("ip link set v0 txqueuelen 56");
	if (brk == 2)
		net_do("ip link del v3");
	if (brk == 3)
		net_do("ip link set ifb7 down");
	if (brk == 4)
		net_do("ip link set dev v2 type bridge_slave cost 34");

	net_check_same("before");
	write_file("compared", "");
	check(read(fd, got, sizeof(got)) == 7 && !strcmp(got, "through"), "got %s", got);
	join_task(pid);
	test_done();
}
