/* SPDX-License-Identifier: GPL-2.0-only */
/* Take a child of ours away from a process of the tree, which is not to know of it. */
#pragma once
#include <stdbool.h>
#include <sys/types.h>

/*
 * @tid: a stopped thread of the process; all others are stopped as well. @child is a zombie, or about to be one, that nobody
 * traces. @take_signal: a SIGCHLD that tells of it is taken back. 0 or a negative errno, not logged.
 */
int reap_in(pid_t tid, pid_t child, bool take_signal);
/* The same for our own process: does not return if it can be done. */
int reap_ourselves_in(pid_t tid);
/* Nothing of a tracer that has died is in the process any more: it is let run until then. */
int reap_settle(pid_t tid);
