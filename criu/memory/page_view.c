/* SPDX-License-Identifier: GPL-2.0-only */
#include "memory/page_view.h"
#include <stdlib.h>
#include <sys/mman.h>
#include "base/bits.h"
#include "pie/vma.h"

#ifndef MADV_POPULATE_READ /* Linux 5.14 */
#define MADV_POPULATE_READ 22
#endif

/* The kernel maps as much around each faulting page. */
#define WORTH_MAPPING (64ul << 10)

void page_view_want(const struct page_view *view, const struct pagemap_run *run, uint64_t addr, uint64_t len)
{
	uint64_t at, start;

	if (run->blocks)
		return;
	at = (uintptr_t)page_view_at(view, run, addr);
	start = ROUND_DOWN(at, PAGE_SZ);
	if (len > WORTH_MAPPING)
		madvise((void *)start, ROUND_UP(at + len, PAGE_SZ) - start, MADV_POPULATE_READ);
}

void page_view_close(struct page_view *view)
{
	for (size_t i = 0; view->mapped && i < view->map->nr_sources; i++)
		if (view->mapped[i].mem)
			munmap(view->mapped[i].mem, view->mapped[i].len);
	if (view->mapped != &view->one)
		free(view->mapped);
	if (view->blocks)
		block_reader_free(view->blocks);
	free(view->blocks);
	*view = (struct page_view){ 0 };
}
