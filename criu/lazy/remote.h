/* SPDX-License-Identifier: GPL-2.0-only */
/* Internal to this module: pages that are at a source on another machine. */
#pragma once
#include "lazy/state.h"

/* Connects, and fetches a first page: it is certain then whether the source is a tree that may run again. Errors are logged. */
int remote_begin(struct lazy_daemon *d);
/* Nothing is missing: the source may end. */
void remote_end(struct lazy_daemon *d);
