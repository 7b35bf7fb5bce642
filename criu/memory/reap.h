/* SPDX-License-Identifier: GPL-2.0-only */
/* Reaps a child of ours in a process of the tree, which must not notice it. */
#pragma once
#include <stdbool.h>
#include <sys/types.h>

/* Its pid as we and as the process see it, which may be in another pid namespace. */
struct reaped {
	pid_t pid, inside;
};

/*
 * @tid: a stopped thread of the process; all others are stopped as well. @child is a zombie, or about to be one, and
 * not traced. @take_signal: a SIGCHLD for it is removed. 0 or a negative errno, not logged.
 */
int reap_in(pid_t tid, struct reaped child, bool take_signal);
/* The same for our own process: does not return on success. */
int reap_ourselves_in(pid_t tid);
/* Lets the process run until nothing of a tracer that has died is in it any more. */
int reap_settle(pid_t tid);
