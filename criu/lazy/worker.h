/* SPDX-License-Identifier: GPL-2.0-only */
/* Internal to this module: one of several restores that a daemon serves, by a process (and a holder) of its own: what happens to one leaves the others alone. */
#pragma once
#include "lazy/connect.h"
#include "lazy/state.h"
#include "transport/message.h"

struct kept;

struct worker {
	struct helper_process process;
	struct lazy_journal *journal;
	uint64_t number; /* of the restore, for messages */
	int sock; /* on which it asks for pages of the source, as a client of one; -1: no more, or none are there */
	struct message asked; /* that has not been answered; command 0: nothing */
};

enum worker_end {
	WORKER_SERVED, /* the restore has all pages */
	WORKER_LEFT, /* the restore has failed, before its tree ran */
	WORKER_FAILED, /* pages are missing */
};

/* Takes the client, unless it fails. @kept may be NULL. 0 or a negative errno, not logged. */
int worker_start(struct lazy_daemon *d, const struct kept *kept, struct lazy_client *client, struct worker *ret);
/* When it has ended. */
enum worker_end worker_wait(struct worker *w);
/* Its socket is readable: to w->asked. */
void worker_read(struct worker *w);
/* The pages that it has asked for are in the file there. */
void worker_answer(struct worker *w, uint64_t at, uint64_t len);
/* There is no more for it: it fails if it needs something. */
void worker_hang_up(struct worker *w);
