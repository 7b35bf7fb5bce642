/* SPDX-License-Identifier: GPL-2.0-only */
/* Runs of a page map whose pages are in that of another process, of the same images. */
#pragma once
#include "image/pagemap_run.h"
#include "image/store.h"

/* One page map of one directory, as it is. */
typedef int (*pagemap_load_fn)(struct image_store *dir, enum image_type type, uint64_t id, struct pagemap **ret_map);

/*
 * Replaces them by PRESENT runs whose sources are the pages images of those processes. @map has been loaded alone: its own source is
 * the only one. Errors as pagemap_load().
 */
int pagemap_resolve_processes(struct image_store *dir, enum image_type type, struct pagemap *map, pagemap_load_fn load);
/* Descriptors for @map->others, in addition to its own one. */
int pagemap_reopen_others(struct image_store *dir, struct pagemap *map);
