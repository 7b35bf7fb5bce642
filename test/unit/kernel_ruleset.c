// SPDX-License-Identifier: GPL-2.0-only
/*
 * nf_tables rules are read from one network namespace and created in another: nft(8) and iptables-nft list the same in
 * both. Needs root, nftables and iptables.
 */
#include <errno.h>
#include <linux/netlink.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "netfilter/criu_lock.h"
#include "netfilter/nft_text.h"
#include "netfilter/ruleset.h"
#include "netlink/exchange.h"
#include "util_check.h"

static char text[2][1 << 18];

/* What the command prints; false if it fails. */
static bool output_of(const char *command, char *to, size_t size)
{
	FILE *f = popen(command, "r");
	size_t len = f ? fread(to, 1, size - 1, f) : 0;

	to[len] = 0;
	return f && !pclose(f);
}

static bool new_namespace(void)
{
	return !unshare(CLONE_NEWNET) && !system("ip link set lo up");
}

static int read_rules(struct buf *to)
{
	_cleanup_netlink_ struct nl_sock *sk = NULL;
	int err = netlink_open(NETLINK_NETFILTER, &sk);

	return err ? err : nft_ruleset_read(sk, to);
}

static int create(const struct buf *from)
{
	_cleanup_netlink_ struct nl_sock *sk = NULL;
	int err = netlink_open(NETLINK_NETFILTER, &sk);

	if (!err)
		err = netlink_prepare_transactions(sk);
	return err ? err : nft_ruleset_create(sk, from->data, from->len);
}

static bool same_text(void)
{
	if (!strcmp(text[0], text[1]))
		return true;
	fprintf(stderr, "---- before\n%s---- after\n%s", text[0], text[1]);
	return false;
}

/* @setup: a shell command; @list prints everything that must be the same. */
static void same_after(const char *setup, const char *list)
{
	_cleanup_buf_ struct buf messages = { 0 }, again = { 0 };

	CHECK(new_namespace());
	CHECK(!system(setup));
	CHECK(output_of(list, text[0], sizeof(text[0])) && *text[0]);
	CHECK(!read_rules(&messages) && messages.len);
	CHECK(new_namespace());
	CHECK(!create(&messages));
	CHECK(output_of(list, text[1], sizeof(text[1])));
	CHECK(same_text());
	CHECK(!read_rules(&again) && again.len);
}

#define NFT(rules) "nft -f - <<'EOF'\n" rules "\nEOF"
#define LIST "nft list ruleset"

static void chains(void)
{
	same_after(
		NFT("table inet t {\n"
		    " comment \"of a table\"\n"
		    " chain in { type filter hook input priority -5; policy drop; ct state established,related accept comment \"x\"\n"
		    "  iif lo accept\n tcp dport { 22, 80-90 } counter packets 3 bytes 4 jump more\n"
		    "  limit rate 10/minute burst 3 packets log prefix \"lim \" group 2\n }\n"
		    " chain more { counter packets 7 bytes 700 return\n quota over 10 mbytes used 3 mbytes drop\n }\n"
		    " chain nat { type nat hook postrouting priority srcnat; masquerade random\n }\n"
		    "}\n"
		    "table ip6 off { flags dormant\n chain c { type filter hook forward priority 0; reject\n }\n }\n"
		    "table netdev n { chain i { type filter hook ingress device lo priority 0; counter packets 1 bytes 2 accept\n }\n }\n"
		    "table arp a { chain c { type filter hook input priority 0; arp operation request accept\n }\n }\n"
		    "table bridge b { chain c { type filter hook prerouting priority 0; ether type arp accept\n }\n }"),
		LIST);
}

static void sets(void)
{
	same_after(
		NFT("table ip t {\n"
		    " set plain { type ipv4_addr; elements = { 10.0.0.1, 10.0.0.2 comment \"two\" } }\n"
		    " set ranges { type ipv4_addr; flags interval; auto-merge; elements = { 10.0.0.0/8, 192.168.1.5-192.168.1.77, 224.0.0.0/3 } }\n"
		    " set wide { type ipv4_addr . inet_service; flags interval; elements = { 10.0.0.0/8 . 20-30, 1.2.3.4 . 5 } }\n"
		    " set counted { type ipv4_addr; counter; size 100; elements = { 10.9.0.1 counter packets 5 bytes 6 } }\n"
		    " set dyn { type ipv4_addr; flags dynamic; size 10; }\n"
		    " map m { type inet_service : ipv4_addr; elements = { 80 : 10.0.0.1, 443 : 10.0.0.2 } }\n"
		    " map v { type ipv4_addr : verdict; elements = { 10.0.0.1 : jump more, 10.0.0.2 : drop, * : accept } }\n"
		    " chain more { accept\n }\n"
		    " chain c { type filter hook input priority 0; ip saddr @plain drop\n ip saddr @ranges accept\n"
		    "  ip saddr . tcp dport @wide accept\n ip saddr vmap @v\n add @dyn { ip saddr limit rate 5/second }\n"
		    "  ip daddr vmap { 1.1.1.1 : accept, 2.2.2.2-3.3.3.3 : goto more }\n"
		    "  meta mark set tcp dport map { 1 : 0x1, 2 : 0x2 }\n }\n"
		    " chain n { type nat hook prerouting priority dstnat; dnat to tcp dport map @m\n }\n"
		    "}"),
		LIST);
}

/* What changes options of TCP is reported with more than the kernel accepts. */
static void options_of_tcp(void)
{
	same_after(
		NFT("table inet t {\n"
		    " chain c { type filter hook forward priority -150;\n"
		    "  tcp flags syn tcp option maxseg size > 1200 tcp option maxseg size set rt mtu\n"
		    "  tcp option maxseg size set 1300\n  tcp option sack-perm exists accept\n  exthdr frag exists drop\n }\n"
		    "}"),
		LIST);
	if (system("unshare -n nft 'add table ip t; add chain ip t c; add rule ip t c reset tcp option sack-perm' 2>/dev/null"))
		return; /* Linux 5.18 */
	same_after(NFT("table ip t {\n chain c { type filter hook input priority 0; reset tcp option sack-perm\n }\n}"),
		   LIST);
}

/* The rest of a timeout goes on: it is left out of the comparison. */
static void timeouts(void)
{
	same_after(
		NFT("table ip t { set s { type ipv4_addr; timeout 1h; gc-interval 10s; elements = { 10.0.0.1, 10.0.0.2 timeout 2h expires 1h30m } }\n }"),
		LIST " | sed 's/\\(expires [0-9]*h*[0-9]*m\\)[0-9]*s*[0-9]*m*s*/\\1/g'");
}

static void objects(void)
{
	same_after(
		NFT("table ip t {\n counter n { packets 4 bytes 5\n }\n quota q { over 25 mbytes used 2 mbytes\n }\n limit l { rate 400/minute\n }\n"
		    " ct helper ftp { type \"ftp\" protocol tcp\n }\n"
		    " map o { type inet_service : counter; elements = { 80 : \"n\" } }\n"
		    " chain c { type filter hook input priority 0; counter name \"n\" quota name \"q\" drop\n limit name \"l\" accept\n"
		    "  counter name tcp dport map @o\n }\n}"),
		LIST);
}

static void anonymous_chains(void)
{
	same_after(NFT("table ip t { chain c { type filter hook input priority 0;\n"
		       " tcp dport 1 jump { tcp sport 2 accept\n counter packets 1 bytes 1 accept\n }\n"
		       " tcp dport 3 goto { drop\n }\n accept\n }\n }"),
		   LIST);
}

static void iptables(void)
{
	same_after(
		"iptables-nft -P FORWARD DROP && iptables-nft -N mine && "
		"iptables-nft -A INPUT -c 5 6 -p tcp -m string --string foo --algo bm -m comment --comment 'a b' -j mine && "
		"iptables-nft -A mine ! -p udp -m statistic --mode nth --every 3 --packet 1 -j LOG --log-prefix x && "
		"iptables-nft -A INPUT -p tcp -m tcp --tcp-flags SYN,ACK SYN -m multiport --dports 1,2 -j ACCEPT && "
		"iptables-nft -A INPUT -p udp -m multiport --dports 5,6 -j DROP && "
		"iptables-nft -t nat -A POSTROUTING -o eth0 -j MASQUERADE && "
		"iptables-nft -t mangle -A FORWARD -p tcp --syn -j TCPMSS --clamp-mss-to-pmtu && "
		"ip6tables-nft -A INPUT -p icmpv6 -m hl --hl-gt 5 -j ACCEPT && "
		"ip6tables-nft -A OUTPUT -p tcp -m owner --uid-owner 7 -j REJECT",
		"{ iptables-nft-save -c; ip6tables-nft-save -c; } | sed '/^#/d'");
}

static void many_elements(void)
{
	same_after(
		"{ echo 'table ip t { set s { type ipv4_addr; elements = { 11.1.1.1,';"
		" for i in $(seq 1 12000); do echo \"10.$((i >> 16)).$((i >> 8 & 255)).$((i & 255)),\"; done; echo '10.255.0.1 }'; echo '}'; echo '}'; } | nft -f -",
		"nft list ruleset | md5sum");
}

/* As text, by libnftables. */
static void as_text(void)
{
	_cleanup_buf_ struct buf rules = { 0 };

	CHECK(new_namespace());
	CHECK(!nft_text_read(&rules) && !rules.len);
	CHECK(!system(
		"nft add table ip t && nft add chain ip t c '{ type filter hook input priority -5; }' && nft add rule ip t c tcp dport 22 counter packets 3 bytes 4 drop"));
	CHECK(output_of(LIST, text[0], sizeof(text[0])));
	CHECK(!nft_text_read(&rules) && rules.len);
	CHECK(new_namespace());
	CHECK(!nft_text_execute(rules.data));
	CHECK(output_of(LIST, text[1], sizeof(text[1])) && same_text());
	CHECK(nft_text_execute("add nonsense") < 0);
}

/* What CRIU leaves in its images. */
static void lock_of_criu(void)
{
	char all[] =
		"table ip filter {\n\tchain CRIU {\n\t\tmeta mark 0x0000c114 accept\n\t\tdrop\n\t}\n\n\tchain INPUT {\n"
		"\t\ttype filter hook input priority filter; policy accept;\n\t\tcounter packets 0 bytes 0 jump CRIU\n"
		"\t\ttcp dport 1 jump CRIUS\n\t}\n}\ntable inet CRIU-1234 {\n\tchain input {\n\t\tdrop\n\t}\n}\ntable ip6 x {\n}\n";
	char cut[] = "table inet CRIU-1 {\n\tchain";

	nft_text_remove_lock(all);
	CHECK_STR(all,
		  "table ip filter {\n\n\tchain INPUT {\n\t\ttype filter hook input priority filter; policy accept;\n"
		  "\t\ttcp dport 1 jump CRIUS\n\t}\n}\ntable ip6 x {\n}\n");
	nft_text_remove_lock(cut);
	CHECK_STR(cut, "");
	CHECK(!iptables_text_has_rules(""));
	CHECK(!iptables_text_has_rules(
		"# x\n*filter\n:INPUT ACCEPT [1:2]\n:CRIU - [0:0]\n-A INPUT -j CRIU\n-A CRIU -j DROP\nCOMMIT\n"));
	CHECK(iptables_text_has_rules("*filter\n:INPUT DROP [1:2]\nCOMMIT\n"));
	CHECK(iptables_text_has_rules("*filter\n:mine - [1:2]\nCOMMIT\n"));
	CHECK(iptables_text_has_rules("*filter\n:INPUT ACCEPT [1:2]\n-A INPUT -j DROP"));
	CHECK(iptables_text_has_rules(":"));
}

static void nothing(void)
{
	_cleanup_buf_ struct buf messages = { 0 };

	CHECK(new_namespace());
	CHECK(!read_rules(&messages) && !messages.len);
	CHECK(!create(&messages));
}

static void malformed(void)
{
	_cleanup_buf_ struct buf messages = { 0 };
	struct buf cut;

	CHECK(new_namespace());
	CHECK(!system("nft add table ip t && nft add chain ip t c && nft add rule ip t c drop"));
	CHECK(!read_rules(&messages));
	CHECK(new_namespace());
	cut = (struct buf){ messages.data, messages.len - 4, 0 };
	CHECK(create(&cut) == -EBADMSG);
	((struct nlmsghdr *)messages.data)->nlmsg_type++;
	CHECK(create(&messages) == -EBADMSG);
	/* Nothing has been created. */
	CHECK(output_of(LIST, text[0], sizeof(text[0])) && !*text[0]);
}

int main(void)
{
	if (geteuid() || system("nft --version >/dev/null 2>&1 && iptables-nft --version >/dev/null 2>&1")) {
		printf("skip kernel_ruleset: needs root, nft and iptables-nft (packages nftables, iptables)\n1..0\n");
		return 0;
	}
	RUN(nothing);
	RUN(chains);
	RUN(sets);
	RUN(options_of_tcp);
	RUN(timeouts);
	RUN(objects);
	RUN(anonymous_chains);
	RUN(iptables);
	RUN(many_elements);
	RUN(as_text);
	RUN(lock_of_criu);
	RUN(malformed);
	DONE();
}
