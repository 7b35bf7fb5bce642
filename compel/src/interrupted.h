/* SPDX-License-Identifier: LGPL-2.1-only */
/* The system call that a stop interrupted. Inside the library only. */
#pragma once
#include "arch.h"

/*
 * The thread has just stopped (COMPEL_TRAPPED): set its registers so that the call goes on as it must, whether we live or
 * not. Notes in @stop what compel_detach has to know.
 */
int interrupted_settle(pid_t tid, struct compel_stop *stop);
/* It is about to go on. */
void interrupted_go_on(pid_t tid, const struct compel_stop *stop);
