/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Signals that would end the tool in the middle are kept waiting, and looked at between two steps, so that nothing is left
 * half done. Those of a write that cannot be are the write's own matter (interrupt_not_by_writes).
 */
#pragma once
#include <signal.h>

/* All whose default is to end a process, but for those of its own errors; one that is ignored (nohup, background jobs of a
 * script) is none of them. */
void interrupt_signals(sigset_t *ret_set);
/* @ret_was: the mask before. */
void interrupt_begin(sigset_t *ret_was);
/* One that came too late to stop anything is dropped. */
void interrupt_end(const sigset_t *was);
/* No write ends the process: it fails with EPIPE (SIGPIPE) or EFBIG (SIGXFSZ). Programs that are executed get the default. */
void interrupt_not_by_writes(void);
/* The signal of these that waits, which is taken then; 0: none. They must be blocked. */
int interrupt_take(void);
/* Waits for one of these, at most @ms milliseconds; it goes on waiting to be taken. They must be blocked. */
void interrupt_wait(int ms);
