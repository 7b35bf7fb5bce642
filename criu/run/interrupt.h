/* SPDX-License-Identifier: GPL-2.0-only */
/* Being asked to stop: the signals are kept waiting, and looked at between two steps, so that nothing is left half done. */
#pragma once
#include <signal.h>

/* By which a person or a service manager asks; those that are ignored (nohup, background jobs of a script) are none. */
void interrupt_signals(sigset_t *ret_set);
/* The signal of these that waits, which is taken then; 0: none. They must be blocked. */
int interrupt_take(void);
/* Waits for one of these, at most @ms milliseconds; it goes on waiting to be taken. They must be blocked. */
void interrupt_wait(int ms);
