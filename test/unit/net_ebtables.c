// SPDX-License-Identifier: GPL-2.0-only
/* Rules of ebtables: which tables the kernel is asked for, and what of its answer counts. */
#include <linux/if.h>
#include <linux/netfilter_bridge/ebtables.h>

#include "kinds/ns/net/ebtables.h"
#include "run/dump.h"
#include "run/path.h"
#include "util_check.h"

/* Those of dump/ and run/ need a dump. */
void dump_blocker(struct dump *dump, const struct dump_task *task, int fd, const char *fmt, ...)
{
}

void *dump_alloc(struct dump *dump, size_t len)
{
	return NULL;
}

int path_open(const struct path_roots *roots, int mnt_id, const char *path, unsigned flags)
{
	return -1;
}

static void asked_for(void)
{
	static const char core[] =
		"ip_tables 36864 0 - Live 0x0\nebtables 45056 1 ebtable_nat, Live 0x0\nx 1 0 - Live 0x0\n";
	static const char nat[] = "ebtable_nat 16384 0 - Live 0x0\nebtables 45056 1 ebtable_nat, Live 0x0\n";
	static const char builtin[] =
		"kernel/net/ipv4/netfilter/ip_tables.ko\nkernel/net/bridge/netfilter/ebtable_nat.ko\n";

	/* A module that is not loaded has no rules. */
	CHECK(!ebtables_may_have("filter", core, NULL) && !ebtables_may_have("nat", core, NULL));
	CHECK(ebtables_may_have("nat", nat, NULL) && !ebtables_may_have("filter", nat, NULL));
	CHECK(!ebtables_may_have("na", nat, NULL));
	/* The kernel has ebtables built in. */
	CHECK(ebtables_may_have("nat", "x 1 0 - Live 0x0\n", builtin));
	CHECK(!ebtables_may_have("filter", "x 1 0 - Live 0x0\n", builtin));
	CHECK(ebtables_may_have("filter", "x 1 0 - Live 0x0\nebtable_filter 1 0 - Live 0x0\n", builtin));
	/* A kernel without modules. */
	CHECK(ebtables_may_have("filter", "", NULL));
}

static void content(void)
{
	struct ebt_entries chains[3] = { { .policy = EBT_ACCEPT }, { .policy = EBT_ACCEPT }, { .policy = EBT_ACCEPT } };
	struct ebt_replace info = { .valid_hooks = 1 << 1 | 1 << 2 | 1 << 3, .entries_size = sizeof(chains) };

	CHECK(!ebtables_has_content(&info, chains));
	chains[2].policy = EBT_DROP;
	CHECK(ebtables_has_content(&info, chains));
	chains[2].policy = EBT_ACCEPT;
	info.nentries = 1;
	CHECK(ebtables_has_content(&info, chains));
	info.nentries = 0;
	/* A chain of the user's. */
	info.valid_hooks = 1 << 1 | 1 << 2;
	CHECK(ebtables_has_content(&info, chains));
}

int main(void)
{
	RUN(asked_for);
	RUN(content);
	DONE();
}
