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
 * @end(@arg) ends the child, after which nobody traces it. It is called when the process waits for that already: whoever dies
 * meanwhile, the process never runs with a zombie of ours. @take_signal: a SIGCHLD for the child is removed.
 */
struct reaping {
	struct reaped child;
	bool take_signal;
	void (*end)(void *arg);
	void *arg;
	/* NULL: none. The child, while the process may be waiting for it: if we die, another process has to end it first of all. */
	_Atomic pid_t *awaited;
};

/* @tid: a stopped thread of the process; all others are stopped as well. 0 or a negative errno, not logged. */
int reap_in(pid_t tid, const struct reaping *r);
/* The same for our own process: does not return on success. */
int reap_ourselves_in(pid_t tid);
/* Lets the process run until nothing of a tracer that has died is in it any more. */
int reap_settle(pid_t tid);
