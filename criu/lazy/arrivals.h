/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once
#include "lazy/state.h"

/* Takes what restore has sent. 1: it has closed the connection; errors are logged. */
int arrivals_take(struct lazy_daemon *d);
/* In the holder: those that the daemon has taken. */
void arrivals_follow(struct lazy_daemon *d);
