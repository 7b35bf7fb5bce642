/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once
#include "lazy/state.h"

/* Is the log a file? */
bool lazy_has_log_file(void);
/* Lines of the log go to a file from now on. */
void lazy_log(struct lazy_daemon *d);
