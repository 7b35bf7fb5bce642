/* SPDX-License-Identifier: GPL-2.0-only */
/* A copy of an address space, copied on write by the kernel: the process goes on while its pages are written. */
#pragma once
#include <stdbool.h>
#include "run/dump.h"

struct snapshot {
	pid_t pid; /* a process of its own, stopped, that dies with us, or is ended by a guard process */
	bool is_child; /* of the process that it is a copy of */
	int mem; /* its /proc/PID/mem */
	char *aside; /* pages that no fork copies, one after another */
	size_t aside_len, aside_next;
};

/* Are the pages of this mapping aside? */
bool snapshot_lacks(const VmaEntry *vma);
