/* SPDX-License-Identifier: GPL-2.0-only */
/* The content of all pages of a source, mapped read-only for comparisons. */
#pragma once
#include <stddef.h>
#include "image/pagemap.h"

struct page_mapping {
	void *mem; /* NULL: nothing */
	size_t len;
};

/* Not to be copied. */
struct page_view {
	const struct pagemap *map;
	struct page_mapping *mapped; /* by pagemap_run.source */
	struct page_mapping one; /* where it points if there is one source */
};

void page_view_close(struct page_view *view);

/*
 * [addr, addr + len) of @run is about to be read: maps pages that need no disk access by one call, not by a fault for
 * every few of them.
 */
void page_view_want(const struct page_view *view, const struct pagemap_run *run, uint64_t addr, uint64_t len);

/* A page, which is in @run. */
static inline const void *page_view_at(const struct page_view *view, const struct pagemap_run *run, uint64_t addr)
{
	return (const char *)view->mapped[run->source].mem + run->offset + (addr - run->vaddr);
}
