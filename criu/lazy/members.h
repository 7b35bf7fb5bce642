/* SPDX-License-Identifier: GPL-2.0-only */
/* Internal to this module: the processes of the restored tree, which must not run if it continues at the source. */
#pragma once
#include "lazy/state.h"

/*
 * When a process has reported itself, and waits: a later one may have its pid. Only if the source may continue. 0 or a negative
 * errno, logged.
 */
int member_arrived(struct lazy_daemon *d, struct lazy_arrival *arrival);
/* Those, and what they have forked since; not what has lost its parent. */
void members_kill(struct lazy_daemon *d);
