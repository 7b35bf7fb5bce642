/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a process has that we have just forked: a restore sets what differs from it, and nothing else. It is what the tool
 * itself has, and does not change between two tasks: each part is read once in a run, when the images are loaded, and is
 * known to every task from its birth on. The next attribute of processes that is inherited has its place here, too.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include "pie/wire.h"

#define FRESH_GROUPS_MAX 64

enum fresh_part {
	FRESH_PROC, /* what /proc says */
	FRESH_LIMITS, /* as they are while we work, which is not what we were started with (run/limits.h) */
	FRESH_CREDS,
	FRESH_ATTRIBUTES,
	FRESH_SCHED,
	FRESH_CPUS,
	FRESH_PARTS,
};

struct fresh_child {
	bool read[FRESH_PARTS];
	/* FRESH_PROC: what this kernel has */
	bool has_loginuid, has_filter, has_oom;
	uint32_t loginuid;
	uint64_t coredump_filter;
	int oom_score_adj;
	uint64_t signals_not_default; /* bit n - 1: the action of signal n is something else, or has flags */
	uint64_t bounding, ambient; /* sets of capabilities */
	/* FRESH_LIMITS. That of open files may be raised later, for our own descriptors (restore/service_fds.c). */
	struct rlimit64 limits[PARASITE_NR_RLIMITS];
	/* FRESH_CREDS: real, effective, saved. Its capabilities are those of the run (run/rights.h). */
	uint32_t uid[3], gid[3];
	uint32_t groups[FRESH_GROUPS_MAX];
	int nr_groups; /* negative: there are more */
	int securebits, no_new_privs;
	/* FRESH_ATTRIBUTES */
	uint32_t personality;
	int dumpable, thp_disabled;
	/* FRESH_SCHED: policy and nice value; false where it may begin with others than we have */
	bool sched_known;
	uint32_t sched_policy;
	int nice, ioprio;
	uint64_t timer_slack_ns;
	bool default_mempolicy;
	bool all_cpus; /* FRESH_CPUS: it may use each that is online */
};

/* Reads that part unless it has been read: in the tool, before it forks. 0 or a negative errno, logged. */
int fresh_child_need(struct fresh_child *child, enum fresh_part part);
