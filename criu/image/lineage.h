/* SPDX-License-Identifier: GPL-2.0-only */
/* Are the parents of images still the ones that they refer to? */
#pragma once
#include <stdbool.h>
#include "image/store.h"

/*
 * Of those whose inventories say so (field parent_run_id), at any distance. -ENOENT, -EBADMSG: a parent is missing, or contains the
 * images of another run; the text is in image_store_error(@dir).
 */
int image_check_lineage(struct image_store *dir);
/* -EBADMSG: pages of these images, or in parents that they refer to, have been freed (image/dedup.h); the text is as above. */
int image_check_freed(struct image_store *dir);
/* Do pages of these images come from a parent? Images of another program do not say: then, true. */
int image_refers_to_parent(struct image_store *dir, bool *ret);
