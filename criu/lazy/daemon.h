/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once
#include "lazy/state.h"

struct image_store;

void lazy_init(struct lazy_daemon *d, const struct options *opts);
/* Pages that are neither in the images nor at a source are an error. */
int lazy_check_local(const struct lazy_daemon *d);
/* A process with the descriptors that a daemon needs, and @more of them, and no others. @job says what it does. 0 or a negative errno. */
int lazy_helper_start(const struct lazy_daemon *d, struct helper_process *ret, struct helper_job *job, const int *more,
		      size_t n);
/* With a connection, and the images loaded: from here on the holder cares for what is missing if we are killed. */
int lazy_begin(struct lazy_daemon *d);
int lazy_serve(struct lazy_daemon *d);
