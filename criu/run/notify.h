/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Who is asked at each step of a run ("post-dump"), and may refuse it: the user's action scripts (run/scripts.h), and a
 * client by RPC. Pipelines and kinds call notify_step() and know neither.
 */
#pragma once
#include <stdbool.h>
#include <sys/types.h>
#include "run/options.h"

/* One step. What an outlet can be given besides is a member here. */
struct notice {
	const char *action; /* its name: "post-dump" */
	pid_t pid; /* the tree's root, as the tool sees it; 0: not made yet */
};

struct notify_outlet {
	/* Called in the tool. An errno, which the outlet has logged, refuses the step. */
	int (*notify)(const struct notify_outlet *outlet, const struct options *opts, const struct notice *notice);
};

/* Called after those that are there. Borrowed: it lives as long as @opts. -ENOSPC. */
int notify_add(struct options *opts, const struct notify_outlet *outlet);
/* Does anybody want to be asked? If nobody does, notify_step() does nothing. */
bool notify_wanted(const struct options *opts);
/* Ask all of them; the first that refuses ends it. */
int notify_step(const struct options *opts, const char *action, pid_t pid);
