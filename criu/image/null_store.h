/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A store (image/store.h) that discards all images: for checking whether something can be saved. No image can be
 * opened.
 */
#pragma once
#include "image/store.h"

/* -ENOMEM */
int image_null_open(struct image_store **ret_store);
