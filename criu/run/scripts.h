/* SPDX-License-Identifier: GPL-2.0-only */
/* --action-script: programs of the user that are executed at each stage of a run. */
#pragma once
#include "run/notify.h"

/*
 * Executes each of them with the stage in CRTOOLS_SCRIPT_ACTION, the images directory in CRTOOLS_IMAGE_DIR and the pid
 * of the tree's root in CRTOOLS_INIT_PID (unset before it exists). They inherit none of our descriptors, have no
 * signals blocked, and their output goes to the log. Stops at the first that fails: -ECANCELED, or the error why it
 * could not be executed.
 */
extern const struct notify_outlet scripts_outlet;

/* For what the tool becomes: CRTOOLS_INIT_PID, in its own environment. -ENOMEM */
int scripts_set_root(pid_t pid);
