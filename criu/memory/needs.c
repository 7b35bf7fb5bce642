/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A process shares private pages only with the one that forks it, at the same addresses (premap.h): those that its creator has no page
 * for need memory of their own.
 */
#include "memory/needs.h"
#include <sys/mman.h>
#include "memory/block_reader.h"
#include "pie/vma.h"

static bool is_needed(const struct restore *r, const struct pagemap_run *run)
{
	return run->flags & PAGEMAP_PRESENT && !(r->opts->lazy_pages && run->flags & PAGEMAP_LAZY);
}

/* Pages of [at, end) in @run; zeros without content need not be there. */
static uint64_t count_stored(const struct pagemap_run *run, uint64_t at, uint64_t end)
{
	uint64_t pages = 0;

	if (!run->blocks)
		return (end - at) / PAGE_SZ;
	while (at < end) {
		bool zero;
		uint64_t stop = block_stretch(run, at, end, &zero);

		pages += zero ? 0 : (stop - at) / PAGE_SZ;
		at = stop;
	}
	return pages;
}

uint64_t memory_needed_pages(const struct restore *r, const struct pagemap_run *run, uint64_t at, uint64_t end)
{
	return is_needed(r, run) ? count_stored(run, at, end) : 0;
}

/* Without those of @than, which is another map or NULL. */
static uint64_t count_more(const struct pagemap_run *run, uint64_t at, uint64_t end, const struct pagemap *than)
{
	const struct pagemap_run *other = than ? pagemap_find(than, at) : NULL;
	const struct pagemap_run *last = than ? than->runs + than->nr_runs : NULL;
	uint64_t pages = 0;

	for (; other && other < last && other->vaddr < end && at < end; other++) {
		if (other->vaddr > at)
			pages += count_stored(run, at, other->vaddr);
		at = MAX_OF(at, pagemap_run_end(other));
	}
	return pages + (at < end ? count_stored(run, at, end) : 0);
}

static uint64_t count_task(const struct restore *r, const struct restore_task *rt, const struct pagemap *than)
{
	const struct pagemap *map = rt->pagemap;
	const struct pagemap_run *last = map->runs + map->nr_runs;
	uint64_t pages = 0;

	for (size_t i = 0; i < rt->mm->n_vmas; i++) {
		const VmaEntry *v = rt->mm->vmas[i];
		const struct pagemap_run *run = pagemap_find(map, v->start);

		if (!vma_has_private_pages(v->status) || v->status & VMA_GUARD || v->flags & MAP_HUGETLB)
			continue;
		for (; run && run < last && run->vaddr < v->end; run++)
			if (is_needed(r, run))
				pages += count_more(run, MAX_OF(run->vaddr, v->start),
						    MIN_OF(pagemap_run_end(run), v->end), than);
	}
	return pages;
}

/* The process whose memory it has when it is forked. */
static const struct restore_task *maker_of(const struct restore_task *rt)
{
	const struct restore_task *by = rt->creator;

	while (by && !by->mm)
		by = by->creator;
	return by;
}

struct memory_needs memory_needs(const struct restore *r)
{
	const struct restore_task *rt;
	uint64_t sum = 0, largest = 0;

	restore_for_each_task(rt, r) {
		const struct restore_task *by = maker_of(rt);
		uint64_t pages;

		/* Page maps with parents are not kept. */
		if (!rt->mm || rt->t.state == TASK_DEAD || !rt->pagemap)
			continue;
		pages = count_task(r, rt, NULL);
		largest = MAX_OF(largest, pages);
		if (!by)
			sum += pages;
		else if (by->pagemap)
			sum += count_task(r, rt, by->pagemap);
	}
	return (struct memory_needs){ MAX_OF(MAX_OF(sum, largest), r->plan.private_pages) * PAGE_SZ,
				      r->plan.shared_pages * PAGE_SZ };
}
