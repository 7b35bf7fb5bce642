/* SPDX-License-Identifier: GPL-2.0-only */
/* Reading entries of page maps whose pages are stored in blocks. */
#pragma once
#include "image/pagemap_run.h"
#include "image/reader.h"
#include "pagemap.pb-c.h"
#include "util/arena.h"

/* Refuses layouts that are not known. */
int pagemap_blocks_check(struct image_reader *img, const PagemapEntry *entry);
/* An entry could not be read at all (@err): says so if the reason is another layout. Returns the error. */
int pagemap_blocks_explain(struct image_reader *img, int err);
/* The blocks of @run; *@offset is where the previous payload ends, and is advanced. */
int pagemap_blocks_load(struct image_reader *img, struct pagemap *map, const PagemapBlocks *blocks,
			struct pagemap_run *run, uint64_t *offset);
void pagemap_blocks_free(struct pagemap *map);
/* @map now owns those of @parent, too. */
void pagemap_blocks_take(struct pagemap *map, struct pagemap *parent);
/* Replaces those of the runs of @kept, which are @originals, by copies in @arena: one of each. -ENOMEM */
int pagemap_blocks_keep(struct pagemap *kept, struct pagemap_blocks *originals, struct arena *arena);
