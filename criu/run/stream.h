/* SPDX-License-Identifier: GPL-2.0-only */
/* --stream: the store of a run whose images are not in the images directory. */
#pragma once
#include "image/store.h"
#include "run/options.h"

/* 0 or a negative errno, logged. @stop_fd: image_stream_set_stop() */
int stream_open_for_dump(const struct options *opts, int stop_fd, struct image_store **ret_store);
int stream_open_for_restore(const struct options *opts, struct image_store **ret_store);
