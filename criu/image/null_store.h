/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A store (image/store.h) that keeps nothing: for whoever wants to know whether something can be saved. Images are
 * written and dropped; there is none to open.
 */
#pragma once
#include "image/store.h"

/* -ENOMEM */
int image_null_open(struct image_store **ret_store);
