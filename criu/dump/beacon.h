/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A process in the pid namespace of the tree that lives as long as the process that has started it, which is in another one: by
 * that, processes of the tree can see whether it still lives. Processes of the container may be able to trace it: it is in
 * the namespaces and the root directory of the init, and has its user, no capability, and no other descriptor.
 */
#pragma once
#include <sys/types.h>

struct dump_task;

struct beacon {
	pid_t pid, inside; /* as we and the tree see it */
	int pidfd; /* -1: there is none */
	int ready[2]; /* a pipe: who starts it reports it to us */
};
#define BEACON_NONE ((struct beacon){ .pidfd = -1, .ready = { -1, -1 } })

/* Nothing here is logged. */
int beacon_prepare(struct beacon *b);
/* In a process that creates no others and expects no children, with a copy of @b and of b->ready[1]. */
int beacon_start(struct beacon *b, int pid_ns, const struct dump_task *init);
/* When that process has been created. -ECHILD: it could not start it. */
int beacon_await(struct beacon *b);
/* Ends it before the process that has started it, which reaps it. */
void beacon_end(const struct beacon *b);
void beacon_close(struct beacon *b);
