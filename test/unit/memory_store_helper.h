/* SPDX-License-Identifier: GPL-2.0-only */
/* A complete store (image/store.h) in the memory of this process, until it is closed. Pages are in memfds. */
#pragma once
#include "image/store.h"

/* -ENOMEM */
int image_memory_open(struct image_store **ret_store);
