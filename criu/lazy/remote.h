/* SPDX-License-Identifier: GPL-2.0-only */
/* Internal to this module: pages that are at a source on another machine. */
#pragma once
#include "lazy/daemon.h"

/* Connects, and fetches a first page: it is certain then whether the source is a tree that may run again. Errors are logged. */
int remote_begin(struct lazy_daemon *d);
/* With the lock: an access waits for this page, which is at the source. */
int remote_want(struct lazy_daemon *d, struct lazy_space *space, uint64_t page);
/* Nothing is missing: the source may end. */
int remote_end(struct lazy_daemon *d);
