// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tables of iptables (legacy) are read from one network namespace and created in another: iptables-legacy-save lists the
 * same in both. Needs root and iptables.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "netfilter/xtables.h"
#include "util_check.h"

#define TABLES 20

static struct xtable tables[TABLES];
static size_t nr_tables;
static char text[2][1 << 16];

static bool output_of(const char *command, char *to, size_t size)
{
	FILE *f = popen(command, "r");
	size_t len = f ? fread(to, 1, size - 1, f) : 0;

	to[len] = 0;
	return f && !pclose(f);
}

static int keep(const struct xtable *table, void *arg)
{
	struct xtable *to = &tables[nr_tables];

	if (nr_tables == TABLES)
		return -ENOSPC;
	*to = *table;
	to->name = strdup(table->name);
	to->entries = memcpy(malloc(table->size), table->entries, table->size);
	nr_tables++;
	return 0;
}

static void forget(void)
{
	for (size_t i = 0; i < nr_tables; i++) {
		free((void *)tables[i].name);
		free((void *)tables[i].entries);
	}
	nr_tables = 0;
}

/* For the counters. */
static bool packets(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_port = htons(9),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	bool sent = !system("ip link set lo up") && sendto(fd, "x", 1, 0, (struct sockaddr *)&to, sizeof(to)) == 1;

	close(fd);
	return sent;
}

#define LIST "{ iptables-legacy-save -c; ip6tables-legacy-save -c; } | sed '/^#/d'"

static void rules(void)
{
	CHECK(!unshare(CLONE_NEWNET));
	CHECK(!system(
		"iptables-legacy -P FORWARD DROP && iptables-legacy -N mine && "
		"iptables-legacy -A INPUT -c 5 6 -p tcp -m string --string foo --algo bm -m comment --comment 'a b' -j mine && "
		"iptables-legacy -A mine ! -p udp -m statistic --mode nth --every 3 --packet 1 -j LOG --log-prefix x && "
		"iptables-legacy -A INPUT -m conntrack --ctstate NEW,ESTABLISHED -m limit --limit 3/min -j ACCEPT && "
		"iptables-legacy -t nat -A POSTROUTING -o eth0 -j MASQUERADE && "
		"iptables-legacy -t nat -A PREROUTING -p tcp --dport 80 -j DNAT --to-destination 10.0.0.1:8080 && "
		"iptables-legacy -t mangle -A FORWARD -p tcp --syn -j TCPMSS --clamp-mss-to-pmtu && "
		"iptables-legacy -t raw -A PREROUTING -p udp -j NOTRACK && "
		"ip6tables-legacy -A INPUT -p icmpv6 -m hl --hl-gt 5 -j ACCEPT && "
		"ip6tables-legacy -A OUTPUT -p tcp -m owner --uid-owner 7 -j REJECT"));
	CHECK(packets());
	CHECK(!xtables_each(keep, NULL) && nr_tables == 5);
	CHECK(output_of(LIST, text[0], sizeof(text[0])) && strstr(text[0], "OUTPUT ACCEPT [1:"));
	CHECK(!unshare(CLONE_NEWNET));
	/* The kernel lists those first that were created last. */
	for (size_t i = nr_tables; i--;)
		CHECK(!xtable_replace(&tables[i]));
	CHECK(output_of(LIST, text[1], sizeof(text[1])));
	if (strcmp(text[0], text[1]))
		fprintf(stderr, "---- before\n%s---- after\n%s", text[0], text[1]);
	CHECK_STR(text[0], text[1]);
}

/* Reading must not create tables. */
static void nothing(void)
{
	forget();
	CHECK(!unshare(CLONE_NEWNET));
	CHECK(!xtables_each(keep, NULL) && !nr_tables);
	CHECK(output_of("cat /proc/net/ip_tables_names", text[0], sizeof(text[0])) && !*text[0]);
}

static void malformed(void)
{
	struct xtable cut;

	CHECK(!unshare(CLONE_NEWNET));
	CHECK(!system("iptables-legacy -A INPUT -j DROP"));
	CHECK(!xtables_each(keep, NULL) && nr_tables == 1);
	CHECK(!unshare(CLONE_NEWNET));
	cut = tables[0];
	cut.size -= 8;
	CHECK(xtable_replace(&cut) < 0);
	cut = tables[0];
	cut.nr_entries++;
	CHECK(xtable_replace(&cut) < 0);
	cut = tables[0];
	cut.family = 77;
	CHECK(xtable_replace(&cut) == -EBADMSG);
	cut = tables[0];
	cut.name = "a name of more than thirty characters";
	CHECK(xtable_replace(&cut) == -EBADMSG);
	forget();
}

int main(void)
{
	if (geteuid() || unshare(CLONE_NEWNET) || system("iptables-legacy -L >/dev/null 2>&1")) {
		printf("skip kernel_xtables: needs root, iptables-legacy (package iptables), and a kernel with ip_tables\n1..0\n");
		return 0;
	}
	RUN(rules);
	RUN(nothing);
	RUN(malformed);
	DONE();
}
