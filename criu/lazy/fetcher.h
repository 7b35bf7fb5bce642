/* SPDX-License-Identifier: GPL-2.0-only */
/* Internal to this module: a process that fetches pages of a source into a file, so that nothing else waits for a slow one. */
#pragma once
#include "lazy/state.h"

struct fetcher {
	struct helper_process process;
	int sock; /* -1: none */
	bool completes; /* tells the source that it may end */
};

struct fetch {
	uint64_t vaddr, len,
		at; /* pages of @pid in the images, and where they belong in the file; @len 0: the source may end */
	pid_t pid;
};

/* Connects to the source first. Errors are logged. */
int fetcher_start(struct lazy_daemon *d, int file, struct fetcher *ret);
/* One at a time: until fetcher_answer(). 0 or a negative errno. */
int fetcher_ask(const struct fetcher *f, const struct fetch *what);
/* Waits for one, but not for long. False: there is none. */
bool fetcher_await_answer(const struct fetcher *f);
/* If its socket is readable: how many bytes it has fetched. A negative errno, logged there: it has lost the source, and ends. */
int64_t fetcher_answer(const struct fetcher *f);
/* With no answer outstanding: the source may end. It does so in the background. */
void fetcher_complete(struct fetcher *f);
/* Ends it, or waits for that. Also one that was never started. */
void fetcher_end(struct fetcher *f);
