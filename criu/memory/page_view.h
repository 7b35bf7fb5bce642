/* SPDX-License-Identifier: GPL-2.0-only */
/* The content of all pages of a source, mapped read-only for comparisons; compressed blocks are decoded one at a time. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include "base/bits.h"
#include "image/pagemap.h"
#include "memory/block_reader.h"

struct page_mapping {
	void *mem; /* NULL: nothing */
	size_t len;
};

/* Not to be copied. */
struct page_view {
	const struct pagemap *map;
	struct page_mapping *mapped; /* by pagemap_run.source */
	struct page_mapping one; /* where it points if there is one source */
	struct block_reader *blocks; /* if there are any */
};

void page_view_close(struct page_view *view);

/*
 * [addr, addr + len) of @run is about to be read: maps pages that need no disk access by one call, not by a fault for
 * every few of them.
 */
void page_view_want(const struct page_view *view, const struct pagemap_run *run, uint64_t addr, uint64_t len);

/* A page, which is in @run: valid until the next call for the same view. NULL: it is compressed, and cannot be decoded. */
static inline const void *page_view_at(const struct page_view *view, const struct pagemap_run *run, uint64_t addr)
{
	if (run->blocks)
		return block_reader_page(view->blocks, pagemap_source(view->map, run), run, addr);
	return (const char *)view->mapped[run->source].mem + run->offset + (addr - run->vaddr);
}

/* Is the page in @run equal to the one at @page? If it cannot be decoded it is not: reading it will fail, and say why. */
static inline bool page_view_equals(const struct page_view *view, const struct pagemap_run *run, uint64_t addr,
				    const void *page)
{
	const void *own = page_view_at(view, run, addr);

	return own && page && !memcmp(own, page, PAGE_SZ);
}
