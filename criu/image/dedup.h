/* SPDX-License-Identifier: GPL-2.0-only */
/* Frees space in older images. What is freed cannot be restored any more: only after the newer images are known to be complete. */
#pragma once
#include "image/store.h"

/*
 * In all parents of @dir that are needed for it, the first one in any case, pages that @dir has itself. *ret_bytes: how much
 * has been freed, also on failure. The error text is in image_store_error(@dir).
 */
int image_dedup_parents(struct image_store *dir, uint64_t *ret_bytes);
/* All pages that @dir has, in it and in the parents that it refers to: they have been restored. */
int image_dedup_restored(struct image_store *dir, uint64_t *ret_bytes);
