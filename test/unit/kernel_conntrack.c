// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tracked connections are read from one network namespace and created in another: conntrack(8) lists the same in both.
 * Needs root, conntrack and nftables.
 */
#include <errno.h>
#include <linux/netlink.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "netfilter/conntrack.h"
#include "netlink/exchange.h"
#include "util_check.h"

static char text[2][1 << 16];

static bool output_of(const char *command, char *to, size_t size)
{
	FILE *f = popen(command, "r");
	size_t len = f ? fread(to, 1, size - 1, f) : 0;

	to[len] = 0;
	return f && !pclose(f);
}

static int read_entries(struct buf *to)
{
	_cleanup_netlink_ struct nl_sock *sk = NULL;
	int err = netlink_open(NETLINK_NETFILTER, &sk);

	return err ? err : conntrack_read(sk, to);
}

static int create(const struct buf *from)
{
	_cleanup_netlink_ struct nl_sock *sk = NULL;
	int err = netlink_open(NETLINK_NETFILTER, &sk);

	if (!err)
		err = netlink_prepare_transactions(sk);
	return err ? err : conntrack_create(sk, from->data, from->len);
}

/* Without what goes on (time) or cannot be set (counters, number of users). */
#define LIST \
	"conntrack -L -o extended 2>/dev/null | sed 's/ use=[0-9]*//; s/\\(tcp\\|udp\\|icmp\\) *\\([0-9]*\\) [0-9]* /\\1 \\2 /' | sort"

static void entries(void)
{
	_cleanup_buf_ struct buf messages = { 0 };

	CHECK(!unshare(CLONE_NEWNET) && !system("ip link set lo up"));
	CHECK(!system(
		"conntrack -I -p tcp -s 10.0.0.1 -d 10.0.0.2 --sport 1 --dport 2 --state ESTABLISHED -t 1000 -u ASSURED,SEEN_REPLY -m 7 >/dev/null 2>&1 && "
		"conntrack -I -p udp -s 10.0.0.1 -d 10.0.0.2 --sport 1 --dport 2 -t 1000 >/dev/null 2>&1 && "
		"conntrack -I -p udp -s 10.0.0.1 -d 10.0.0.2 --sport 5 --dport 6 -t 1000 --src-nat 10.9.9.9:77 -u SEEN_REPLY >/dev/null 2>&1 && "
		"conntrack -I -p tcp -s 10.0.0.1 -d 10.0.0.2 --sport 5 --dport 6 --state SYN_SENT -t 1000 --dst-nat 10.8.8.8:99 >/dev/null 2>&1 && "
		"conntrack -I -p tcp -s fd00::1 -d fd00::2 --sport 5 --dport 6 --state TIME_WAIT -t 1000 -w 5 >/dev/null 2>&1 && "
		"conntrack -I -p icmp -s 10.0.0.1 -d 10.0.0.2 --icmp-type 8 --icmp-code 0 --icmp-id 3 -t 1000 >/dev/null 2>&1"));
	CHECK(output_of(LIST, text[0], sizeof(text[0])) && strstr(text[0], "dst=10.9.9.9"));
	CHECK(!read_entries(&messages));
	CHECK(!unshare(CLONE_NEWNET) && !system("ip link set lo up"));
	CHECK(!create(&messages));
	CHECK(output_of(LIST, text[1], sizeof(text[1])));
	if (strcmp(text[0], text[1]))
		fprintf(stderr, "---- before\n%s---- after\n%s", text[0], text[1]);
	CHECK_STR(text[0], text[1]);
	/* Nothing exists twice. */
	CHECK(create(&messages) == -EEXIST);
}

/* A real connection that is translated: kinds/net_ns_rules. */
static void nothing(void)
{
	_cleanup_buf_ struct buf messages = { 0 };

	CHECK(!unshare(CLONE_NEWNET));
	CHECK(!read_entries(&messages) && !messages.len && !create(&messages));
}

static void malformed(void)
{
	_cleanup_buf_ struct buf messages = { 0 };
	struct buf cut;

	CHECK(!unshare(CLONE_NEWNET));
	CHECK(!system("conntrack -I -p udp -s 10.0.0.1 -d 10.0.0.2 --sport 1 --dport 2 -t 1000 >/dev/null 2>&1"));
	CHECK(!read_entries(&messages) && messages.len);
	CHECK(!unshare(CLONE_NEWNET));
	cut = (struct buf){ messages.data, messages.len - 4, 0 };
	CHECK(create(&cut) == -EBADMSG);
	((struct nlmsghdr *)messages.data)->nlmsg_type++;
	CHECK(create(&messages) == -EBADMSG);
}

int main(void)
{
	if (geteuid() || unshare(CLONE_NEWNET) || system("conntrack -L >/dev/null 2>&1")) {
		printf("skip kernel_conntrack: needs root, conntrack (package conntrack), and a kernel with ctnetlink\n1..0\n");
		return 0;
	}
	RUN(entries);
	RUN(nothing);
	RUN(malformed);
	DONE();
}
