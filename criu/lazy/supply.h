/* SPDX-License-Identifier: GPL-2.0-only */
/* Puts pages in place; with the lock. */
#pragma once
#include "lazy/state.h"

/* [addr, addr + len) of a range of a process. */
struct lazy_pages {
	struct lazy_space *space;
	const struct lazy_range *range;
	uint64_t addr, len;
};

/* Their content is @from. -EAGAIN: events have to be read first. */
int supply(const struct lazy_pages *pages, const char *from);
/* An access to @addr waits. -EAGAIN likewise. */
int supply_fault(struct lazy_daemon *d, struct lazy_space *space, uint64_t addr);
/* They could not be read: whoever accesses them gets SIGBUS. */
int supply_lost(struct lazy_daemon *d, const struct lazy_pages *pages, int err);
