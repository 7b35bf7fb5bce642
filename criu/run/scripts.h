/* SPDX-License-Identifier: GPL-2.0-only */
/* --action-script: programs of the user's own that are called at each step of a run. */
#pragma once
#include <sys/types.h>
#include "run/options.h"

/*
 * Call each of them for the step @action ("post-dump"): they find it in CRTOOLS_SCRIPT_ACTION, the images directory in
 * CRTOOLS_IMAGE_DIR and the tree's root in CRTOOLS_INIT_PID (if @pid is not 0: there is none before it is made). They
 * have none of our descriptors, no signal blocked, and print into the log. The first that fails ends it: -ECANCELED, or
 * the reason why it could not be called; logged.
 */
int scripts_run(const struct options *opts, const char *action, pid_t pid);
