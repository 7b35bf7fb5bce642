/* SPDX-License-Identifier: LGPL-2.1-only */
/* The system call that a stop interrupted. Internal to the library. */
#pragma once
#include "arch.h"

/*
 * The thread has just stopped (COMPEL_TRAPPED): sets its registers so that the call continues correctly even if we die.
 * Records in @stop what compel_detach needs.
 */
int interrupted_settle(pid_t tid, struct compel_stop *stop);
/* It is about to be resumed. */
void interrupted_resume(pid_t tid, const struct compel_stop *stop);
