/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A process of our own beside a dump or a restore, that runs one function: something that must go on when the tool is
 * killed, or that may get stuck in a call without the tool. It has a copy of our memory as it is at its start.
 *
 * It gets no signals (all are blocked) and is in a session of its own, so that what ends the process group of the tool
 * does not end it too. Nothing ends it but its function: one that has to end with the tool waits for that itself (the end
 * of a socket pair or a pipe). Our own SIGCHLD does not tell of it: only these functions do.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct helper_process {
	pid_t pid; /* 0: there is none */
	int pidfd;
};
#define HELPER_NONE ((struct helper_process){ 0, -1 })

struct helper_job {
	int (*run)(void *arg); /* in the helper: returns its exit code, below 128 */
	void *arg;
	bool shares_fds; /* has our descriptors, as they are at any time; else copies of them */
	int *keeps; /* of the copies, only these stay open (the array is put in order, in the helper); NULL: all */
	size_t nr_keeps;
};

/* 0 or -errno, not logged. The signal mask of the caller is as before. */
int helper_start(struct helper_process *h, const struct helper_job *job);

/* Has it ended (by itself, or by somebody's hand)? Does not wait; then there is none any more. */
bool helper_has_ended(struct helper_process *h);
/* Waits until it has ended: its status, as of wait(2). */
int helper_wait(struct helper_process *h);
/*
 * For one that has been asked to end: waits at most @ms for it. Later it is killed and, as it may be stuck where no signal
 * reaches it, not waited for.
 */
void helper_end(struct helper_process *h, int ms);
/* Ends it at once, and waits for that: for one that cannot be stuck. */
void helper_kill(struct helper_process *h);
/* Killed, but not waited for: the kernel ends it when the call it is stuck in returns. */
void helper_abandon(struct helper_process *h);
