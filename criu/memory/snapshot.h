/* SPDX-License-Identifier: GPL-2.0-only */
/* A copy of an address space, copied on write by the kernel: the process runs while its pages are saved. */
#pragma once
#include <stdbool.h>
#include "run/dump.h"

struct snapshot {
	pid_t inside; /* its pid as its origin sees it */
	pid_t pid; /* a separate process, stopped, that dies with us, or is killed by a guard process */
	bool is_child; /* of the process that it is a copy of */
	int mem; /* its /proc/PID/mem */
	char *aside; /* copies of pages that no fork copies, one after another */
	size_t aside_len, aside_next;
};

/* Are the pages of this mapping in `aside`? */
bool snapshot_lacks(const VmaEntry *vma);
