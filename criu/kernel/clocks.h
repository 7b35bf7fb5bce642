/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The clocks that count since boot, which differ from one time namespace to another: time_namespaces(7). All of them in
 * nanoseconds. Times that the kernel itself keeps, and shows without a conversion, are those of the first namespace.
 */
#pragma once
#include <stdint.h>
#include <time.h>
#include "kernel/proc_pid.h"

#define NSEC_IN_SEC 1000000000l

struct clocks {
	int64_t monotonic, boottime;
};

/* One of them, or of their relatives (ALARM, COARSE, RAW)? */
static inline bool clock_since_boot(clockid_t clock)
{
	return clock == CLOCK_MONOTONIC || clock == CLOCK_MONOTONIC_RAW || clock == CLOCK_MONOTONIC_COARSE ||
	       clock == CLOCK_BOOTTIME || clock == CLOCK_BOOTTIME_ALARM;
}

/* What this process's own clocks show. */
struct clocks clocks_now(void);
/*
 * How far the clocks of a process are ahead of those of the first time namespace; zeros where the kernel has no such
 * namespaces. /proc only tells this for the namespace of its next child: -EXDEV when that is another one.
 */
int clocks_ahead(const struct proc *p, struct clocks *ret);
/* Of the calling process. */
int clocks_own_ahead(struct clocks *ret);
