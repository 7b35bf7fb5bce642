/* SPDX-License-Identifier: GPL-2.0-only */
/* Puts pages in place; with the lock. */
#pragma once
#include "lazy/state.h"

/* [addr, addr + len) of @range, whose content is @from. -EAGAIN: events have to be read first. */
int supply(struct lazy_daemon *d, struct lazy_space *space, const struct lazy_range *range, uint64_t addr, uint64_t len,
	   const char *from);
/* An access to @addr waits. -EAGAIN likewise. */
int supply_fault(struct lazy_daemon *d, struct lazy_space *space, uint64_t addr);
/* They could not be read: whoever accesses them gets SIGBUS. */
int supply_lost(struct lazy_daemon *d, struct lazy_space *space, const struct lazy_range *range, uint64_t addr,
		uint64_t len, int err);
