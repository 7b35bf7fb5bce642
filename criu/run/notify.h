/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Receivers of notifications at each stage of a run ("post-dump"), which can make it fail: the user's action scripts
 * (run/scripts.h), and an RPC client. Pipelines and kinds call notify_step(), independent of the receivers.
 */
#pragma once
#include <stdbool.h>
#include <sys/types.h>
#include "run/options.h"

#define NOTIFY_QUERY_EXTERNALS "query-ext-files"

/* A notification: the data passed to outlets. */
struct notice {
	const char *action; /* its name: "post-dump" */
	pid_t pid; /* the tree's root, in the tool's pid namespace; 0: not created yet */
	bool client_only; /* only for the client of an RPC */
	const int *fd; /* for it: a descriptor; NULL: none */
};

struct notify_outlet {
	/* Called in the tool. A negative errno, which the outlet has logged, makes the run fail. */
	int (*notify)(const struct notify_outlet *outlet, const struct options *opts, const struct notice *notice);
};

/* Appends an outlet. Borrowed: must live as long as @opts. -ENOSPC. */
int notify_add(struct options *opts, const struct notify_outlet *outlet);
/* Are there outlets? If not, notify_step() does nothing. */
bool notify_wanted(const struct options *opts);
/* Notifies all of them, up to the first that fails. */
int notify_step(const struct options *opts, const char *action, pid_t pid);
/*
 * Asks those that can reply for more resources outside the tree: what the user could have given with --external is in
 * opts->externals afterwards.
 */
int notify_query_externals(const struct options *opts, pid_t pid);
/* Passes a descriptor to those that can take one. */
int notify_with_fd(const struct options *opts, const char *action, int fd);
