/* SPDX-License-Identifier: GPL-2.0-only */
/* Programs that serve others (service, page server): the background, and the report that they are ready. */
#pragma once
#include "run/options.h"

/* The standard descriptors lead to /dev/null from now on. 0 or a logged negative errno. */
int background_leave_standard(void);
/*
 * Continues in a child without a terminal; the caller's process exits with 0 when the child calls background_ready(), or with 1
 * when it ends before. 0 or a logged negative errno. *ret_ready: for that.
 */
int background_enter(int *ret_ready);
/*
 * Writes the pid file, notifies scripts ("status-ready"), writes to --status-fd, and releases the process that waits for
 * @ready (-1: none). 0 or a logged negative errno.
 */
int background_ready(const struct options *opts, int ready);
