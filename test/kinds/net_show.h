/* SPDX-License-Identifier: GPL-2.0-only */
/* A network namespace as text, by ip(8) and its sysctls: so that all of it can be compared. */
#ifndef TEST_NET_SHOW_H
#define TEST_NET_SHOW_H

#include <sys/wait.h>
#include "checkpoint.h"

/* Runs commands of the shell; they must succeed. */
static inline void net_do(const char *commands)
{
	char script[4096];
	int status;

	snprintf(script, sizeof(script), "set -ex; PATH=/usr/sbin:/usr/bin:/sbin:/bin; %s", commands);
	status = system(script);
	need(WIFEXITED(status) && !WEXITSTATUS(status), "%s: status %#x", commands, status);
}

#define NET_SHOW                                                                                                                    \
	"PATH=/usr/sbin:/usr/bin:/sbin:/bin; "                                                                                      \
	"ip -d -N address | sed 's/[a-z_]*_timer *[0-9.]*//g'; ip -N route show table all | sort; "                                 \
	"ip -6 -N route show table all | sort; ip -N rule; ip -6 -N rule; "                                                         \
	"ip -N neigh show nud permanent; ip -N neigh show proxy; ip -6 -N neigh show proxy; ip -N nexthop; "                        \
	"if command -v nft >/dev/null; then nft list ruleset; fi; "                                                                 \
	"if command -v iptables-legacy-save >/dev/null; then iptables-legacy-save -c; ip6tables-legacy-save -c; fi | sed '/^#/d'; " \
	"ip mptcp endpoint; ip mptcp limits; tc qdisc show | sort; tc class show | sort; bridge -d link show | sort; "              \
	"cd /proc/sys/net && find . -type f ! -name nf_conntrack_count | sort | xargs grep -s ''"

/* What `ip` and /proc/sys/net show, in a file. */
static inline void net_show(const char *path)
{
	char script[2048];
	int status;

	snprintf(script, sizeof(script), "{ %s; } >%s 2>&1", NET_SHOW, path);
	status = system(script);
	need(WIFEXITED(status), "show the network: status %#x", status);
}

/*
 * The same now as in that file; the first differences are reported. The kernel updates the state of devices (operstate) at
 * most once a second: until then it may differ.
 */
static inline void net_check_same(const char *before)
{
	char script[512], diff[2048] = "differs";
	double until = now_s() + 3;

	snprintf(script, sizeof(script), "diff %s now | head -20", before);
	while (diff[0] && now_s() < until) {
		FILE *f;

		net_show("now");
		f = popen(script, "r");
		need(f, "diff");
		diff[fread(diff, 1, sizeof(diff) - 1, f)] = '\0';
		pclose(f);
	}
	check(!diff[0], "the network differs: %s", diff);
}

static inline void net_need_tools(void)
{
	if (access("/usr/sbin/ip", X_OK) && access("/sbin/ip", X_OK))
		test_skip("no ip(8) (package iproute2)");
}

#endif
