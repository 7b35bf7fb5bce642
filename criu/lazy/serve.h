/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once
#include "lazy/state.h"

/* The first thread. 0 when nothing is missing any more; errors are logged. */
int serve(struct lazy_daemon *d);
