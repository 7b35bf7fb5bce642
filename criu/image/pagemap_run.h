/* SPDX-License-Identifier: GPL-2.0-only */
/* What page maps (image/pagemap.h) are made of. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bits.h"

/* pagemap_entry.flags */
enum {
	PAGEMAP_PARENT = 1, /* the page is in the parent directory */
	PAGEMAP_LAZY = 2, /* may be loaded later, on first access */
	PAGEMAP_PRESENT = 4, /* the page is in the pages image */
	PAGEMAP_ALIGNED = 8, /* the payload of its blocks begins at the next page boundary of the pages image */
	PAGEMAP_FLAGS = 15,
};

enum pagemap_codec { PAGEMAP_LZ4, PAGEMAP_ZSTD };

enum { PAGEMAP_BLOCK_MAX = 4 << 20 }; /* bytes of a block */

/* The blocks of an entry: pages that are compressed together. Only the last one may have fewer pages than the others. */
struct pagemap_blocks {
	struct pagemap_blocks *next; /* of the same map */
	struct pagemap_blocks *kept; /* the copy that pagemap_keep() has made; NULL: none yet */
	enum pagemap_codec codec;
	uint32_t block_pages;
	uint64_t nr_pages;
	size_t nr;
	bool has_sums;
	/*
	 * @nr + 1 of them: where the payload of each begins, from the first one on. No payload: zeros; as long as the
	 * pages: stored as they are. Then @nr checksums of payloads (CRC-32C), if there are any: pagemap_block_sum().
	 */
	uint64_t at[];
};

static inline uint32_t pagemap_block_sum(const struct pagemap_blocks *blocks, size_t i)
{
	return (uint32_t)blocks->at[blocks->nr + 1 + i];
}

/* For pagemap_add_blocks(). */
struct pagemap_block_sizes {
	enum pagemap_codec codec;
	uint32_t block_pages;
	const uint32_t *v; /* as in the format */
	const uint32_t *sums;
	size_t n;
	uint64_t total;
};

/* Checksums of the pages of an entry. */
struct pagemap_sums {
	struct pagemap_sums *next; /* of the same map */
	uint32_t v[];
};

struct pagemap_run {
	uint64_t vaddr;
	uint64_t nr_pages; /* never 0 */
	uint32_t flags;
	uint32_t source; /* when PRESENT: index for pagemap_source() */
	uint64_t offset; /* when PRESENT: byte offset in that source, in which a pages image may begin anywhere */
	/* NULL: pages are stored as they are. Otherwise @offset is that of its first block, */
	struct pagemap_blocks *blocks;
	uint64_t skip; /* and the run begins so many pages after that one's first */
	const uint32_t *sums; /* of each of its pages (CRC-32C); NULL: there are none */
	uint32_t same_as; /* the process whose page map has the same pages, as shared memory; 0: none is known */
	uint32_t of_process; /* whose page map, of the same images, has these pages; 0: this one */
};

static inline uint64_t pagemap_run_end(const struct pagemap_run *run)
{
	return run->vaddr + run->nr_pages * PAGE_SZ;
}

/* The pages image of another process's page map. */
struct pagemap_other {
	uint32_t pages_id;
	uint64_t base, bytes; /* as in struct pagemap */
};

/*
 * Sorted runs that do not overlap, each within its pages image. Runs that the image marks PARENT are resolved: here
 * they are PRESENT with the source of an older directory, and split where the parents' runs end. So are those
 * of another process of the same images (pagemap_processes.h). Runs that are neither (LAZY only: the pages are still on the page server) are unchanged.
 */
struct pagemap {
	uint64_t id;
	uint32_t pages_id; /* of this directory's own pages image */
	size_t nr_runs, cap_runs;
	struct pagemap_run *runs;
	size_t nr_sources;
	int *sources; /* descriptors, -1 if no run needs it; 0 is this directory, 1 its parent, ... */
	int own_source; /* where @sources points if there is one */
	uint64_t base, bytes; /* of its own pages image: where it begins, and how much of it is needed */
	struct pagemap_other *others; /* of the last @nr_others sources: owned, unless @borrowed */
	size_t nr_others;
	bool borrowed; /* @runs belong to another one */
	bool has_blocks;
	struct pagemap_blocks *first_blocks; /* owned */
	struct pagemap_sums *first_sums; /* owned */
};
