/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Page maps: the location of the pages of an address space (pagemap-PID) or of shared memory (pagemap-shmem-ID) in
 * pages images. Addresses are in bytes (from the start of the segment, for shared memory); a page is PAGE_SZ bytes.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "image/pagemap_parts.h"
#include "image/pagemap_run.h"
#include "image/store.h"
#include "util/arena.h"

/*
 * `type` is IMAGE_PAGEMAP or IMAGE_SHMEM_PAGEMAP. -ENOENT if there is no such page map; -EBADMSG if it is unsorted,
 * overlaps, exceeds the address space, needs more than its pages image has, or refers to a parent without the page;
 * -ELOOP for a loop of parents. The text is in image_store_error(). Free with pagemap_free(), which closes the sources.
 */
int pagemap_load(struct image_store *dir, enum image_type type, uint64_t id, struct pagemap **ret_map);
/* The same without the parents: PARENT runs stay as they are. */
int pagemap_load_own(struct image_store *dir, enum image_type type, uint64_t id, struct pagemap **ret_map);
/*
 * Copies a map into @arena, without its descriptors, for pagemap_reopen(). Only if it needs no parent: *ret_map is
 * NULL otherwise. Checksums are not copied: pages are verified before (memory/verify_pages.h).
 */
int pagemap_keep(const struct pagemap *map, struct arena *arena, struct pagemap **ret_map);
/* The map again, with a descriptor of its own; @ret_map is a struct of the caller's. The runs remain those of @kept. */
int pagemap_reopen(struct image_store *dir, const struct pagemap *kept, struct pagemap *ret_map);

/* Descriptor of the pages image that contains a PRESENT run; borrowed, for pread, splice or mmap. */
int pagemap_source(const struct pagemap *map, const struct pagemap_run *run);

struct pagemap_writer;

/*
 * Creates a page map and its pages image, empty and open for reading and writing. The caller owns the descriptor and
 * writes the pages, one after another, from the image's base on, in the order in which PRESENT runs are added.
 */
int pagemap_create(struct image_store *dir, enum image_type type, uint64_t id, struct pagemap_writer **ret_map,
		   struct image_extent *ret_pages);
struct image_writer;
/* The same with a pages image that is written sequentially; both are the caller's to close or to discard. */
int pagemap_create_sequential(struct image_store *dir, enum image_type type, uint64_t id,
			      struct pagemap_writer **ret_map, struct image_writer **ret_pages);
/* Runs must be sorted; adjacent ones with the same flags are merged. -EINVAL for what pagemap_load() would reject. */
int pagemap_add(struct pagemap_writer *map, uint64_t vaddr, uint64_t nr_pages, uint32_t flags);
/* The same for PRESENT pages with a checksum (CRC-32C) for each. */
int pagemap_add_summed(struct pagemap_writer *map, uint64_t vaddr, uint64_t nr_pages, uint32_t flags,
		       const uint32_t *sums);
/* PRESENT runs that are added from now on are also those of @process, as pagemap_run.same_as says; 0: nothing is known. */
void pagemap_same_as(struct pagemap_writer *map, uint32_t process);
/* Pages that the map of another process of these images has at the same addresses, itself; @flags: PARENT, and perhaps LAZY. */
int pagemap_add_of_process(struct pagemap_writer *map, uint64_t vaddr, uint64_t nr_pages, uint32_t flags,
			   uint32_t of_process);
/* A run of PRESENT pages in blocks; its payload is @sizes->total bytes of the pages image. */
int pagemap_add_blocks(struct pagemap_writer *map, uint64_t vaddr, uint64_t nr_pages, uint32_t flags,
		       const struct pagemap_block_sizes *sizes);
/* Writes the rest; frees `map` in any case. */
int pagemap_close(struct pagemap_writer *map);
/* As image_discard(). NULL is allowed. */
void pagemap_discard(struct pagemap_writer *map);

static inline void cleanup_pagemap_writer(struct pagemap_writer **map)
{
	pagemap_discard(*map);
}
#define _cleanup_pagemap_writer_ __attribute__((cleanup(cleanup_pagemap_writer)))
