/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The tables of iptables, ip6tables and arptables (legacy: not by nf_tables), in the binary form in which the kernel reports
 * and accepts them. It depends on the CPU.
 *
 * Functions run in a process that is in the network namespace. Errors are negative errnos that have been logged.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

#define XTABLES_HOOKS 5

struct xtable {
	int family; /* AF_INET, AF_INET6; NFPROTO_ARP */
	const char *name; /* "filter", ... */
	uint32_t valid_hooks; /* bits */
	uint32_t hook_entry[XTABLES_HOOKS], underflow[XTABLES_HOOKS]; /* offsets in entries */
	uint32_t nr_entries;
	const void *entries; /* struct ipt_entry, ip6t_entry or arpt_entry with their counters, matches and targets */
	size_t size; /* of entries, in bytes */
};

/*
 * For each table that exists, none if nobody has ever used one; those of a family that were created last come first. A nonzero value of @fn ends it, and is returned.
 */
int xtables_each(int (*fn)(const struct xtable *, void *arg), void *arg);
/* Replaces the rules of the table, which the kernel creates when it is first used, and sets their counters. */
int xtable_replace(const struct xtable *table);
