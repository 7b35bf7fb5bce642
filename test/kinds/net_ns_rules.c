// SPDX-License-Identifier: GPL-2.0-only
/*
 * A network namespace with rules of nftables, of iptables in both forms, and a connection whose addresses they translate: its
 * packets pass only because it is tracked.
 * test: options=--tcp-established restore-options=--tcp-established breaks=4 decode=yes
 */
#include "net_show.h"
#include <arpa/inet.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/socket.h>

static const char setup[] =
	"ip link set lo up; ip addr add 10.1.0.1/24 dev lo; ip route add 10.9.9.0/24 dev lo src 10.1.0.1;"
	"nft add table ip t; nft add chain ip t out '{ type nat hook output priority -100; }';"
	"nft add rule ip t out ip daddr 10.9.9.9 tcp dport 80 dnat to 127.0.0.1:7777;"
	"nft add table inet f; nft add set inet f s '{ type ipv4_addr; flags interval; elements = { 10.0.0.0/8, 192.168.0.0/16 }; }';"
	"nft add counter inet f c; nft add chain inet f in '{ type filter hook input priority 0; policy drop; }';"
	"nft add rule inet f in ct state established,related counter name c accept;"
	"nft add rule inet f in ip saddr @s tcp flags syn tcp dport 7777 accept; nft add rule inet f in meta l4proto icmp accept comment '\"x\"';";

static const char iptables[] =
	"iptables-nft -A FORWARD -p tcp -m string --string foo --algo bm -m comment --comment 'a b' -j DROP;"
	"ip6tables-nft -A OUTPUT -p udp -m multiport --dports 5,6 -j REJECT;"
	"iptables-legacy -t mangle -A FORWARD -p tcp --syn -j TCPMSS --clamp-mss-to-pmtu;"
	"ip6tables-legacy -A OUTPUT -c 5 6 -p tcp -m owner --uid-owner 7 -j REJECT";

static void pass(int from, int to, char byte)
{
	struct timeval limit = { .tv_sec = 20 };
	char got = 0;

	check(!setsockopt(to, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)), "time limit");
	check(write(from, &byte, 1) == 1 && read(to, &got, 1) == 1 && got == byte, "byte %d: %s", byte,
	      strerror(errno));
}

static void connect_them(int ends[2])
{
	struct sockaddr_in listen_at = { .sin_family = AF_INET,
					 .sin_port = htons(7777),
					 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_port = htons(80),
				  .sin_addr.s_addr = inet_addr("10.9.9.9") };
	int listener = socket(AF_INET, SOCK_STREAM, 0);

	ends[0] = socket(AF_INET, SOCK_STREAM, 0);
	need(!bind(listener, (struct sockaddr *)&listen_at, sizeof(listen_at)) && !listen(listener, 5), "listen");
	need(!connect(ends[0], (struct sockaddr *)&to, sizeof(to)), "connect");
	ends[1] = accept(listener, NULL, NULL);
	need(ends[1] >= 0, "accept");
	close(listener);
}

int main(int argc, char **argv)
{
	int brk, ends[2];

	test_init(argc, argv);
	net_need_tools();
	if (system("nft --version && iptables-nft --version && iptables-legacy --version && conntrack --version") != 0)
		test_skip("no nft, iptables or conntrack (packages nftables, iptables, conntrack)");
	need(!unshare(CLONE_NEWNET), "unshare");
	net_do(setup);
	net_do(iptables);
	connect_them(ends);
	pass(ends[0], ends[1], 1);
	pass(ends[1], ends[0], 2);
	net_show("before");

	brk = checkpoint_here();
	if (brk == 1)
		net_do("nft delete element inet f s '{ 192.168.0.0/16 }'");
	if (brk == 2)
		net_do("iptables-nft -F FORWARD");
	if (brk == 3)
		net_do("ip6tables-legacy -Z");

	net_check_same("before");
	if (brk == 4)
		net_do("conntrack -F");
	pass(ends[0], ends[1], 3);
	pass(ends[1], ends[0], 4);
	net_do("conntrack -L -d 10.9.9.9 | grep 'ESTABLISHED.*dport=80.*src=127.0.0.1.*sport=7777.*ASSURED'");
	/* Others are still dropped. */
	net_do("nft list counter inet f c | grep -q packets");
	test_done();
}
