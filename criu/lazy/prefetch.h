/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once
#include "lazy/state.h"

/* The second thread. Errors are logged. */
int prefetch_start(struct lazy_daemon *d);
void prefetch_end(struct lazy_daemon *d);
