/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once
#include <stdint.h>

/*
 * The kernel's struct sched_attr, as sched_setattr(2) has it today. Clamps of utilization are 0 where it has none, or does
 * not know them.
 */
struct kernel_sched_attr {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
	uint32_t util_min, util_max;
};
