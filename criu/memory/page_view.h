/* SPDX-License-Identifier: GPL-2.0-only */
/* The content of all pages of a source in our memory, to be compared; read only. */
#pragma once
#include <stddef.h>
#include "image/pagemap.h"

struct page_view {
	const struct pagemap *map;
	void **mem; /* by pagemap_run.source: mappings */
	size_t *len;
};

void page_view_close(struct page_view *view);

/* [addr, addr + len) of @run is going to be read: what takes no disk is mapped by one call, not by a fault for each few pages. */
void page_view_want(const struct page_view *view, const struct pagemap_run *run, uint64_t addr, uint64_t len);

/* A page of it; @run holds it. */
static inline const void *page_view_at(const struct page_view *view, const struct pagemap_run *run, uint64_t addr)
{
	return (const char *)view->mem[run->source] + run->offset + (addr - run->vaddr);
}
