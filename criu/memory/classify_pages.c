/* SPDX-License-Identifier: GPL-2.0-only */
/* Classifies the pages that the scan has found in private memory. */
#include <sys/mman.h>
#include "base/bits.h"
#include "memory/dump_memory.h"
#include "pie/vma.h"

static enum page_outcome outcome_of(const VmaEntry *vma)
{
	/* Zero pages are not among the results of the scan: PAGE_PFNZERO. */
	return vma_is_droppable(vma->flags) ? PAGES_SKIP : PAGES_WRITE;
}

/* Where a file shows through, or a page is a huge one, an entry is needed. */
static bool zero_without_entry(const VmaEntry *vma)
{
	return (vma->status & VMA_ANON_PRIVATE) && !(vma->status & VMA_VDSO) && !(vma->flags & MAP_HUGETLB);
}

static struct page_run run_of(const VmaEntry *vma, uint64_t start, uint64_t end)
{
	return (struct page_run){
		.start = start,
		.end = end,
		.outcome = outcome_of(vma),
		.may_be_lazy = (vma->status & VMA_ANON_PRIVATE) && !(vma->status & VMA_VDSO),
		.empty_is_zero = zero_without_entry(vma),
	};
}

int memory_classify_pages(const struct dump_task *dt, const MmEntry *mm, page_run_fn fn, void *arg)
{
	size_t next = 0;
	int err = 0;

	for (size_t i = 0; !err && i < mm->n_vmas; i++) {
		const VmaEntry *vma = mm->vmas[i];

		/* For the scan, the pages of an AIO ring belong to a file. */
		if (vma->status & (VMA_VDSO | VMA_AIO_RING)) {
			struct page_run all = run_of(vma, vma->start, vma->end);

			err = fn(arg, vma, &all);
			continue;
		}
		while (next < dt->pages.n && dt->pages.v[next].end <= vma->start)
			next++;
		if (!vma_has_private_pages(vma->status))
			continue;
		/* A region of the scan may span several mappings. */
		for (size_t j = next; !err && j < dt->pages.n && dt->pages.v[j].start < vma->end; j++) {
			struct page_run run = run_of(vma, MAX_OF(dt->pages.v[j].start, vma->start),
						     MIN_OF(dt->pages.v[j].end, vma->end));

			err = fn(arg, vma, &run);
		}
	}
	return err;
}
