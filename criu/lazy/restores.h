/* SPDX-License-Identifier: GPL-2.0-only */
/* Internal to this module: criu lazy-pages --restores. */
#pragma once
#include "lazy/state.h"

struct kept;

/*
 * Serves several restores, one after the other or at once. Closes @listener. @kept: the source, or NULL. 0: all of them have all pages. Otherwise a
 * negative errno, logged.
 */
int restores_serve(struct lazy_daemon *d, struct kept *kept, int listener, const char *id);
