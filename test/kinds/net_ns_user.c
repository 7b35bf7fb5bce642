// SPDX-License-Identifier: GPL-2.0-only
/*
 * A network namespace that belongs to a user namespace, with only one group: its devices, addresses, sysctls, sockets.
 * test: breaks=2 decode=yes
 */
#include "inet.h"
#include "net_show.h"
#include <sched.h>

static void map(const char *file, const char *text)
{
	int fd = open(file, O_WRONLY);

	need(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text), "%s", file);
	close(fd);
}

int main(int argc, char **argv)
{
	int fd, brk;

	test_init(argc, argv);
	net_need_tools();
	if (unshare(CLONE_NEWUSER | CLONE_NEWNET))
		test_skip("no user namespaces");
	map("/proc/self/setgroups", "deny");
	map("/proc/self/uid_map", "0 0 1");
	map("/proc/self/gid_map", "0 0 1");
	net_do("ip link set lo up; ip link add v0 type veth peer name v1; ip addr add 10.5.0.1/24 dev v0; ip link set v0 up;"
	       "ip link set v1 up; ip route add 10.6.0.0/16 via 10.5.0.7; echo 77 >/proc/sys/net/core/somaxconn;"
	       "echo 0 0 >/proc/sys/net/ipv4/ping_group_range; echo 80 >/proc/sys/net/ipv4/ip_unprivileged_port_start");
	fd = inet_socket(AF_INET, SOCK_STREAM, 0);
	inet_bind(fd, AF_INET, "10.5.0.1", 81);
	need(!listen(fd, 3), "listen");
	sleep_ms(2500); /* the addresses that the kernel has invented are no longer tentative */
	net_show("before");

	brk = checkpoint_here();
	if (brk == 1)
		net_do("echo 1 0 >/proc/sys/net/ipv4/ping_group_range 2>/dev/null || ip link del v1");
	if (brk == 2)
		net_do("ip link set v0 mtu 1300");

	net_check_same("before");
	check(!inet_connect(inet_socket(AF_INET, SOCK_STREAM, 0), AF_INET, "10.5.0.1", 81), "connect");
	test_done();
}
