/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once
#include <stdint.h>

/*
 * The kernel's struct sched_attr, in the current version of sched_setattr(2). Utilization clamps are 0 if there are
 * none, or if the kernel does not support them.
 */
struct kernel_sched_attr {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
	uint32_t util_min, util_max;
};
