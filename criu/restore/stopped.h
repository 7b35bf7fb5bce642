/* SPDX-License-Identifier: GPL-2.0-only */
/* In the tool: a task whose threads are stopped in the restorer. */
#pragma once
#include <stdint.h>
#include "run/restore.h"

static inline bool task_lives(const struct restore_task *rt)
{
	return rt->t.state != TASK_DEAD;
}

int stopped_peek(pid_t pid, uint64_t addr, void *to, size_t len);
/* Makes a system call in a stopped thread, and returns its result. */
int stopped_call(struct compel_ctl *ctl, long nr, unsigned long a, unsigned long b, unsigned long c);
/* One above the last descriptor of the process. */
int stopped_end_of_descriptors(const struct restore_task *rt);
