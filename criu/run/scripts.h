/* SPDX-License-Identifier: GPL-2.0-only */
/* --action-script: programs of the user's own that are called at each step of a run. */
#pragma once
#include "run/notify.h"

/*
 * Calls each of them: they find the step in CRTOOLS_SCRIPT_ACTION, the images directory in CRTOOLS_IMAGE_DIR and the tree's
 * root in CRTOOLS_INIT_PID (unset before it is made). They have none of our descriptors, no signal blocked, and print into
 * the log. The first that fails ends it: -ECANCELED, or the reason why it could not be called.
 */
extern const struct notify_outlet scripts_outlet;
