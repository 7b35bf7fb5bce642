/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Page maps: which pages of an address space (pagemap-PID) or of shared memory (pagemap-shmem-ID) lie where in which
 * pages image. Addresses are bytes (of the segment, for shared memory), pages are PAGE_SZ bytes.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "image/store.h"

/* pagemap_entry.flags */
enum {
	PAGEMAP_PARENT = 1, /* the page is as the parent directory has it */
	PAGEMAP_LAZY = 2, /* may be brought later, when it is first touched */
	PAGEMAP_PRESENT = 4, /* the page lies in the pages image */
	PAGEMAP_FLAGS = 7,
};

struct pagemap_run {
	uint64_t vaddr;
	uint64_t nr_pages; /* never 0 */
	uint32_t flags;
	uint32_t source; /* when PRESENT: index for pagemap_source() */
	uint64_t offset; /* when PRESENT: byte of that source, in which a pages image may begin anywhere */
};

/*
 * Runs in rising order that do not overlap, each within its pages image. Runs that the image marks PARENT are resolved:
 * here they are PRESENT with a source further back, and split where the parents' runs end. Runs that are neither
 * (LAZY alone: the pages are still with the page server) stay as they are.
 */
struct pagemap {
	uint32_t pages_id; /* of this directory's own pages image */
	size_t nr_runs, cap_runs;
	struct pagemap_run *runs;
	size_t nr_sources;
	int *sources; /* descriptors, -1 where no run needs it; 0 is the own directory, 1 its parent, ... */
};

/*
 * `type` is IMAGE_PAGEMAP or IMAGE_SHMEM_PAGEMAP. -ENOENT when there is no such page map; -EBADMSG when it is unsorted,
 * overlaps, leaves the address space, wants more than its pages image has, or names a parent that lacks the page;
 * -ELOOP for a loop of parents. Why stands in image_store_error(). Freed with pagemap_free(), which closes the sources.
 */
int pagemap_load(struct image_store *dir, enum image_type type, uint64_t id, struct pagemap **ret_map);
/* NULL is fine. */
void pagemap_free(struct pagemap *map);

/* Descriptor of the pages image that holds a PRESENT run; borrowed, for pread, splice or mmap. */
int pagemap_source(const struct pagemap *map, const struct pagemap_run *run);
/* The run that holds `vaddr`, or the first one behind it; NULL when there is none. */
const struct pagemap_run *pagemap_find(const struct pagemap *map, uint64_t vaddr);

struct pagemap_writer;

/*
 * A new page map and its pages image, empty and open for reading and writing; that descriptor is the caller's, and so
 * are the pages: they lie there one after another, from the image's base on, in the order in which PRESENT runs are added.
 */
int pagemap_create(struct image_store *dir, enum image_type type, uint64_t id, struct pagemap_writer **ret_map,
		   struct image_extent *ret_pages);
/*
 * Runs must rise; one that goes on where the last ended, with the same flags, becomes one with it. -EINVAL for what
 * pagemap_load() would refuse.
 */
int pagemap_add(struct pagemap_writer *map, uint64_t vaddr, uint64_t nr_pages, uint32_t flags);
/* Writes what is left; frees `map` whatever happens. */
int pagemap_close(struct pagemap_writer *map);
/* As image_discard(). NULL is fine. */
void pagemap_discard(struct pagemap_writer *map);

static inline void cleanup_pagemap(struct pagemap **map)
{
	pagemap_free(*map);
}
#define _cleanup_pagemap_ __attribute__((cleanup(cleanup_pagemap)))

static inline void cleanup_pagemap_writer(struct pagemap_writer **map)
{
	pagemap_discard(*map);
}
#define _cleanup_pagemap_writer_ __attribute__((cleanup(cleanup_pagemap_writer)))
