// SPDX-License-Identifier: GPL-2.0-only
/* criu check: probes the features of the kernel. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bits.h"
#include "cli/usage.h"
#include "cli/cli.h"
#include "cli/options.h"
#include "features/features.h"
#include "netfilter/nft_lock.h"
#include "run/rights.h"
#include "util/str.h"
#include "util/suggest.h"

/* How many features the host lacks, by how much they are needed. */
struct lacks {
	unsigned int nr[NEED_OPTIONAL + 1];
};

static const char *const need_texts[] = {
	[NEED_ALWAYS] = "needed",
	[NEED_EXTRA] = "needed by some programs",
	[NEED_OPTIONAL] = "useful",
};

static const char *feature_name(size_t i)
{
	return feature_info(i)->name;
}

static int list_features(void)
{
	for (int f = 0; f < FEATURE_COUNT; f++)
		printf("%s\n", feature_info(f)->name);
	return EXIT_SUCCESS;
}

/* True if the host has it; reports it if not. */
static bool check_feature(enum feature f)
{
	const struct feature_info *info = feature_info(f);
	int answer = feature_probe(f);

	if (answer == 1) {
		printf("%s is supported\n", info->name);
		return true;
	}
	if (answer == -ENOTSUP)
		fprintf(stderr, "criu: %s (%s) is not implemented\n", info->name, info->text);
	else if (answer == 0)
		fprintf(stderr, "criu: this host lacks %s: %s\n", info->name, info->text);
	else
		fprintf(stderr, "criu: %s (%s) probe failed: %s\n", info->name, info->text, strerror(-answer));
	return false;
}

static int check_named(const struct str_list *names)
{
	bool all_present = true;

	for (size_t i = 0; i < names->n; i++) {
		const char *near;
		enum feature f;

		if (str_eq(names->v[i], "list"))
			return list_features();
		if (feature_by_name(names->v[i], &f) < 0) {
			near = suggest(names->v[i], FEATURE_COUNT, feature_name);
			usage_error("unknown feature '%s'%s%s%s; see criu check --feature list", names->v[i],
				    near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
			return EXIT_FAILURE;
		}
		all_present &= check_feature(f);
	}
	return all_present ? EXIT_SUCCESS : EXIT_FAILURE;
}

static void check_one(enum feature f, struct lacks *lacks)
{
	const struct feature_info *info = feature_info(f);
	int answer = feature_probe(f);

	if (answer == 1 || answer == -ENOTSUP)
		return;
	lacks->nr[info->need]++;
	printf("missing: %s, %s: %s", info->name, need_texts[info->need], info->text);
	if (answer < 0)
		printf(" (probe failed: %s)", strerror(-answer));
	putchar('\n');
}

/* Freezing and creating processes of other users takes privileges as well as kernel features. */
static bool check_rights(void)
{
	static const enum right needed[] = { RIGHT_PTRACE_ANY, RIGHT_NAMESPACES, RIGHT_SET_PIDS };
	struct rights rights;
	bool all_present = true;

	if (rights_probe(&rights))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(needed); i++) {
		if (rights_may(&rights, needed[i]))
			continue;
		printf("missing: rights: %s: %s; run criu as root\n", rights_name(needed[i]), rights_text(needed[i]));
		all_present = false;
	}
	return all_present;
}

static int check_needed(enum feature_need up_to)
{
	struct lacks lacks = { 0 };
	bool rights = check_rights();

	for (int f = 0; f < FEATURE_COUNT; f++)
		if (feature_info(f)->need <= up_to)
			check_one(f, &lacks);
	if (lacks.nr[NEED_ALWAYS] || !rights) {
		fflush(stdout);
		fprintf(stderr, "criu: required features are missing: see above\n");
		return EXIT_FAILURE;
	}
	if (lacks.nr[NEED_EXTRA] || lacks.nr[NEED_OPTIONAL])
		printf("Looks good, except for the missing features above.\n");
	else
		printf("Looks good.\n");
	return EXIT_SUCCESS;
}

/* A network lock that the kernel does not remove by itself: its connections wait for a restore, or are orphaned. */
struct lock_seen {
	struct nl_sock *netlink;
	unsigned int connections;
	bool live;
};

static int count_locked(const struct nft_connection *c, void *arg)
{
	struct lock_seen *seen = arg;

	seen->connections++;
	seen->live |= nft_connection_lives(c) == 1;
	return 0;
}

static int report_lock(const char *table, bool owned, void *arg)
{
	struct lock_seen seen = { .netlink = NULL };

	if (owned || nft_open(&seen.netlink))
		return 0;
	nft_lock_each_connection(seen.netlink, table, count_locked, &seen);
	netlink_close(&seen.netlink);
	/* The table has both directions of each connection. */
	if (seen.live)
		fprintf(stderr,
			"criu: nftables table %s blocks connections of a running program: a dump was killed; the next dump of the program removes it; to remove it now: nft delete table inet %s\n",
			table, table);
	else
		fprintf(stderr,
			"criu: nftables table %s blocks %u connection%s of a dumped program until it is restored; if it will not be restored: nft delete table inet %s\n",
			table, seen.connections / 2, seen.connections == 2 ? "" : "s", table);
	return 0;
}

static void report_locks(void)
{
	_cleanup_netlink_ struct nl_sock *netlink = NULL;

	if (!nft_open(&netlink))
		nft_lock_each(netlink, report_lock, NULL);
}

int check_command(struct request *req, const struct words *words)
{
	const struct options *opts = &req->opts;
	int ret = session_begin(req);

	if (ret < 0)
		return ret;
	if (opts->pid) {
		ret = check_tree(opts);
		return ret < 0 ? session_end(req, ret) : session_end(req, 0) ? EXIT_FAILURE : ret;
	}
	if (opts->check_images && !opts->features.n) {
		ret = check_images(opts);
		return ret < 0 ? session_end(req, ret) : session_end(req, 0) ? EXIT_FAILURE : ret;
	}
	if (opts->features.n)
		ret = check_named(&opts->features);
	else
		ret = check_needed(opts->check_all ? NEED_OPTIONAL : opts->check_extra ? NEED_EXTRA : NEED_ALWAYS);
	report_locks();
	session_end(req, 0);
	return ret;
}
