/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once
#include <stdbool.h>

/* Does this kernel have utilization clamps? */
bool sched_has_clamps(void);
