/* SPDX-License-Identifier: GPL-2.0-only */
/* A page map in memory, wherever it comes from. */
#pragma once
#include "image/pagemap_run.h"

/* Appends an uninitialised run; NULL if out of memory. */
struct pagemap_run *pagemap_append_run(struct pagemap *map);
/* The run that contains `vaddr`, or the next one; NULL if there is none. */
const struct pagemap_run *pagemap_find(const struct pagemap *map, uint64_t vaddr);
void pagemap_close_sources(struct pagemap *map);
/* NULL is allowed. */
void pagemap_free(struct pagemap *map);

static inline void cleanup_pagemap(struct pagemap **map)
{
	pagemap_free(*map);
}
#define _cleanup_pagemap_ __attribute__((cleanup(cleanup_pagemap)))
