/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The clocks that count since boot, which differ between time namespaces: time_namespaces(7). All of them in
 * nanoseconds. Times that the kernel stores, and shows without a conversion, are those of the initial namespace.
 */
#pragma once
#include <stdint.h>
#include <time.h>
#include "kernel/proc_pid.h"

#define NSEC_IN_SEC 1000000000l

struct clocks {
	int64_t monotonic, boottime;
};

/* One of them, or a variant (ALARM, COARSE, RAW)? */
static inline bool clock_since_boot(clockid_t clock)
{
	return clock == CLOCK_MONOTONIC || clock == CLOCK_MONOTONIC_RAW || clock == CLOCK_MONOTONIC_COARSE ||
	       clock == CLOCK_BOOTTIME || clock == CLOCK_BOOTTIME_ALARM;
}

/* This process's own clocks. */
struct clocks clocks_now(void);
/*
 * How far the clocks of a process are ahead of those of the initial time namespace; zeros if the kernel has no time
 * namespaces. /proc only shows this for the namespace of its next child: -EXDEV if that is a different one.
 */
int clocks_ahead(const struct proc *p, struct clocks *ret);
/* The same for the namespace of its next child. */
int clocks_of_children_ahead(const struct proc *p, struct clocks *ret);
/* The same as the first for the calling process. */
int clocks_own_ahead(struct clocks *ret);
