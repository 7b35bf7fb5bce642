/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once
#include "lazy/state.h"

struct image_store;

/* What has to be supplied for the tree of the images. Errors are logged. */
int lazy_load(struct lazy_daemon *d, struct image_store *dir);
