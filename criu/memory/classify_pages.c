/* SPDX-License-Identifier: GPL-2.0-only */
/* Classifies the pages that the scan has found in private memory. */
#include <sys/mman.h>
#include "base/bits.h"
#include "image/pagemap.h"
#include "memory/dump_memory.h"
#include "memory/lazy.h"
#include "memory/lazy_rule.h"
#include "memory/tracking.h"
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

bool memory_vma_has_plain_pages(const VmaEntry *vma)
{
	return vma_has_private_pages(vma->status) && !(vma->status & (VMA_VDSO | VMA_AIO_RING)) &&
	       !(vma->flags & MAP_HUGETLB);
}

static struct page_run run_of(const VmaEntry *vma, uint64_t start, uint64_t end)
{
	return (struct page_run){
		.start = start,
		.end = end,
		.outcome = outcome_of(vma),
		.may_be_lazy = memory_vma_is_lazy(vma),
		.empty_is_zero = zero_without_entry(vma),
	};
}

/* Unchanged pages: those that the previous images have are taken from there, whatever else is known. */
static int classify_unchanged(const struct pagemap *parent, const VmaEntry *vma, struct page_run all, page_run_fn fn,
			      void *arg)
{
	const struct pagemap_run *from = pagemap_find(parent, all.start), *end = parent->runs + parent->nr_runs;
	int err = 0;

	for (struct page_run run = all; !err && run.start < all.end; run.start = run.end) {
		while (from && from < end && from->vaddr + from->nr_pages * PAGE_SZ <= run.start)
			from++;
		run.outcome = all.outcome;
		run.end = all.end;
		if (from && from < end && from->vaddr > run.start) {
			run.end = MIN_OF(from->vaddr, all.end);
		} else if (from && from < end) {
			run.end = MIN_OF(from->vaddr + from->nr_pages * PAGE_SZ, all.end);
			if (from->flags & PAGEMAP_PRESENT)
				run.outcome = PAGES_PARENT;
		}
		err = fn(arg, vma, &run);
	}
	return err;
}

int memory_add_same(struct same_runs *same, const struct same_run *run)
{
	struct same_run *last = same->n ? &same->v[same->n - 1] : NULL;

	if (!last || last->end != run->start || last->process != run->process)
		return array_add(same, *run);
	last->end = run->end;
	return 0;
}

size_t memory_same_at(const struct same_runs *same, uint64_t addr)
{
	size_t low = 0, high = same->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (same->v[middle].end <= addr)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Parts of it may be pages of other processes. */
static int classify_same(const struct dump_task *dt, const VmaEntry *vma, struct page_run all, page_run_fn fn,
			 void *arg)
{
	const struct same_runs *same = &dt->memory->same;
	size_t i = memory_same_at(same, all.start);
	int err = 0;

	for (struct page_run run = all; !err && run.start < all.end; run.start = run.end) {
		const struct same_run *next = i < same->n ? &same->v[i] : NULL;

		run.outcome = all.outcome;
		run.same_as = 0;
		run.end = next ? MIN_OF(next->start, all.end) : all.end;
		if (next && next->start <= run.start) {
			run.outcome = dt->memory->same_is_hint ? all.outcome : PAGES_SAME;
			run.same_as = next->process;
			run.end = MIN_OF(next->end, all.end);
			i++;
		}
		err = fn(arg, vma, &run);
	}
	return err;
}

static int classify_kept(const struct dump_task *dt, const VmaEntry *vma, const struct page_region *region,
			 page_run_fn fn, void *arg)
{
	struct page_run run = run_of(vma, MAX_OF(region->start, vma->start), MIN_OF(region->end, vma->end));

	if (run.start >= run.end)
		return 0;
	run.in_huge_pages = region->categories & PAGE_HUGE;
	if (run.outcome == PAGES_WRITE && region->categories & PAGES_UNCHANGED && dt->memory->track->parent)
		return classify_unchanged(dt->memory->track->parent, vma, run, fn, arg);
	if (run.outcome == PAGES_WRITE && dt->memory->same.n)
		return classify_same(dt, vma, run, fn, arg);
	return fn(arg, vma, &run);
}

/* Parts of it may be excluded: only private anonymous memory is. */
static int classify_region(const struct dump_task *dt, const VmaEntry *vma, const struct page_region *region,
			   page_run_fn fn, void *arg)
{
	const struct excluded_ranges *left_out = &dt->memory->excluded;
	struct page_region part = *region;
	int err = 0;

	for (size_t i = 0; !err && i < left_out->n && left_out->v[i].start < region->end; i++) {
		if (left_out->v[i].end <= part.start)
			continue;
		part.end = left_out->v[i].start;
		err = classify_kept(dt, vma, &part, fn, arg);
		part.start = left_out->v[i].end;
		part.end = region->end;
	}
	return err ? err : classify_kept(dt, vma, &part, fn, arg);
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
		while (next < dt->memory->pages.n && dt->memory->pages.v[next].end <= vma->start)
			next++;
		if (!vma_has_private_pages(vma->status))
			continue;
		/* A region of the scan may span several mappings. */
		for (size_t j = next; !err && j < dt->memory->pages.n && dt->memory->pages.v[j].start < vma->end; j++)
			err = classify_region(dt, vma, &dt->memory->pages.v[j], fn, arg);
	}
	return err;
}
