/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Signals that would terminate the tool are blocked, and checked between steps, so that nothing remains half done.
 * Signals from failing writes are replaced by errors (interrupt_not_by_writes).
 */
#pragma once
#include <signal.h>

/*
 * All signals that terminate a process by default, except those for its own errors, and except ignored ones (nohup,
 * background jobs of a script).
 */
void interrupt_signals(sigset_t *ret_set);
/* Blocks them; @ret_was: the old mask. */
void interrupt_begin(sigset_t *ret_was);
/* Restores the mask; a signal that came too late to stop anything is dropped. */
void interrupt_end(const sigset_t *was);
/*
 * A write fails with EPIPE or EFBIG instead of terminating the process (SIGPIPE, SIGXFSZ). Executed programs get the
 * default.
 */
void interrupt_not_by_writes(void);
/* Takes a pending signal of these; 0: none. They must be blocked. */
int interrupt_take(void);
/* Waits for one of these, at most @ms milliseconds; it remains pending. They must be blocked. */
void interrupt_wait(int ms);
