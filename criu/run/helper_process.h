/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A helper process of a dump or a restore that runs one function: something that must continue if the tool is killed,
 * or that may block without blocking the tool. It has a copy of our memory as of its start.
 *
 * It receives no signals (all are blocked) and is in its own session, so that signals to the process group of the tool
 * do not reach it. It runs until its function returns: one that has to exit with the tool must detect that itself (end
 * of file on a socket pair or a pipe). It sends us no SIGCHLD: only these functions wait for it.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct helper_process {
	pid_t pid; /* 0: none */
	int pidfd;
};
#define HELPER_NONE ((struct helper_process){ 0, -1 })

struct helper_job {
	int (*run)(void *arg); /* in the helper: returns its exit code, below 128 */
	void *arg;
	bool shares_fds; /* shares our descriptor table; otherwise it has a copy */
	int *keeps; /* of the copies, only these stay open (the array is sorted, in the helper); NULL: all */
	size_t nr_keeps;
};

/* 0 or -errno, not logged. The signal mask of the caller is unchanged. */
int helper_start(struct helper_process *h, const struct helper_job *job);

/* Has it exited (or been killed)? Does not block; if so, h->pid becomes 0. */
bool helper_has_ended(struct helper_process *h);
/* Waits for it to exit; returns its wait(2) status. */
int helper_wait(struct helper_process *h);
/*
 * For one that has been asked to exit: waits at most @ms for it. After that it is killed and, as it may be stuck in an
 * uninterruptible call, not waited for.
 */
void helper_end(struct helper_process *h, int ms);
/* Kills it and waits for it: for one that cannot be stuck. */
void helper_kill(struct helper_process *h);
/* Kills it, but does not wait: it dies when the call it is stuck in returns. */
void helper_abandon(struct helper_process *h);
