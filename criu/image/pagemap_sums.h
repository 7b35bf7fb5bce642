/* SPDX-License-Identifier: GPL-2.0-only */
/* Checksums of pages in page maps, between image and struct pagemap. */
#pragma once
#include "image/pagemap_run.h"
#include "image/reader.h"
#include "pagemap.pb-c.h"

/* Checked, and added to @run of @map. */
int pagemap_sums_load(struct image_reader *img, struct pagemap *map, const PagemapEntry *entry,
		      struct pagemap_run *run);
void pagemap_sums_free(struct pagemap *map);
/* @map gets those of @parent, too. */
void pagemap_sums_take(struct pagemap *map, struct pagemap *parent);
