/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once
#include "lazy/state.h"

/* With the lock: an access waits for this page, which is at the source. 0 or -ENOMEM. */
int wanted_add(struct lazy_daemon *d, struct lazy_space *space, uint64_t page);
/* The first one that is still missing, which is taken out of the list, and its range; false: there is none. */
bool wanted_take(struct lazy_daemon *d, struct lazy_fault *ret, const struct lazy_range **ret_range);
