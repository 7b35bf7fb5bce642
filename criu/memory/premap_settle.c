/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * In a task, when its children have been forked: which of the inherited pages are those of its image, and where they
 * are.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include "memory/premap.h"
#include "pie/vma.h"
#include "util/log.h"

/* Drops pages: the mapping has its own content again, zeros or the file. */
static int drop(struct premap_area *a, uint64_t start, uint64_t end)
{
	for (uint64_t at = start; at < end; at += PAGE_SZ) {
		uint64_t i = (at - a->start) / PAGE_SZ;

		a->loaded[i / 64] &= ~BIT(i % 64);
	}
	if (end > start && madvise((void *)(uintptr_t)(a->at + (start - a->start)), end - start, MADV_DONTNEED) < 0)
		return fail(-errno, "drop inherited pages at %lx", start);
	return 0;
}

/* A mapping of the task, and the area that may contain its pages. */
struct settling {
	const struct page_view *pages;
	const VmaEntry *vma;
	struct premap_area *area;
	const struct pagemap_run *run; /* the first one that does not end before the current page */
	uint64_t mapped; /* up to that address the view has been mapped for comparisons */
	uint64_t compared, kept;
};

/* Is the page in place equal to the one in the image? */
static bool is_as_image(struct settling *s, uint64_t at)
{
	const struct pagemap *map = s->pages->map;
	const struct pagemap_run *runs_end = map->runs + map->nr_runs;
	uint64_t i = (at - s->area->start) / PAGE_SZ;

	if (s->area->as_image && premap_bit(s->area->as_image, i))
		return true;
	s->compared++;
	while (s->run && s->run < runs_end && pagemap_run_end(s->run) <= at)
		s->run++;
	if (!s->run || s->run >= runs_end || s->run->vaddr > at || !(s->run->flags & PAGEMAP_PRESENT))
		return false;
	if (s->mapped <= at) {
		s->mapped = MIN_OF(MIN_OF(pagemap_run_end(s->run), s->vma->end), at + HUGE_PAGE_SZ);
		page_view_want(s->pages, s->run, at, s->mapped - at);
	}
	return page_view_equals(s->pages, s->run, at, (void *)(uintptr_t)(s->area->at + i * PAGE_SZ));
}

/*
 * The first page from @at on, up to @end, that is loaded and not known to be equal to the image. Counts those before it
 * as kept.
 */
static uint64_t next_open(struct settling *s, uint64_t at, uint64_t end)
{
	const struct premap_area *a = s->area;

	while (at < end) {
		uint64_t i = (at - a->start) / PAGE_SZ, known = a->as_image ? a->as_image[i / 64] : 0;

		if (i % 64 == 0 && at + 64 * PAGE_SZ <= end && !(a->loaded[i / 64] & ~known)) {
			s->kept += (uint64_t)__builtin_popcountll(a->loaded[i / 64]);
			at += 64 * PAGE_SZ;
		} else if (!premap_bit(a->loaded, i)) {
			at += PAGE_SZ;
		} else {
			break;
		}
	}
	return at;
}

static int settle_vma(const struct page_view *pages, struct premap_hull *h, struct premap_area *a,
		      struct restorer_counts *counts)
{
	const VmaEntry *v = h->vma;
	struct settling s = { .pages = pages, .vma = v, .area = a, .run = pagemap_find(pages->map, v->start) };
	uint64_t drop_from = 0, drop_to = 0;
	int err = 0;

	for (uint64_t at = next_open(&s, v->start, v->end); !err && at < v->end;
	     at = next_open(&s, at + PAGE_SZ, v->end)) {
		if (is_as_image(&s, at)) {
			s.kept++;
			continue;
		}
		if (drop_to != at) {
			err = drop(a, drop_from, drop_to);
			drop_from = at;
		}
		drop_to = at + PAGE_SZ;
	}
	atomic_fetch_add(&counts->pages_compared, s.compared);
	atomic_fetch_add(&counts->pages_inherited, s.kept);
	/* Nothing was kept: it is mapped afresh, and its pages are read the fast way. */
	h->area = s.kept ? a : NULL;
	return err ? err : drop(a, drop_from, drop_to);
}

bool premap_inherits(const struct premap *p)
{
	return p && p->areas.n;
}

int premap_settle(struct premap *p, const struct page_view *pages, struct restorer_counts *counts)
{
	int err = 0;

	for (size_t i = 0; !err && i < p->nr_hulls; i++) {
		struct premap_area *a = premap_find(p, p->hulls[i].vma);

		if (a)
			err = settle_vma(pages, &p->hulls[i], a, counts);
	}
	return err;
}

/* The hull whose VMA contains @addr, or the first one after it. */
static struct premap_hull *hull_at(struct premap *p, uint64_t addr)
{
	size_t low = 0, high = p && p->areas.n ? p->nr_hulls : 0;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (p->hulls[middle].vma->end <= addr)
			low = middle + 1;
		else
			high = middle;
	}
	return p && p->areas.n && low < p->nr_hulls ? &p->hulls[low] : NULL;
}

uint64_t premap_address(struct premap *p, const VmaEntry *vma)
{
	struct premap_hull *h = hull_at(p, vma->start);

	return h && h->vma == vma && h->area ? h->area->at + (vma->start - h->area->start) : 0;
}

/* The end of the range from @addr on in which all pages are staged, or none. */
static uint64_t stretch(struct premap *p, uint64_t addr, uint64_t end, bool *ret_waits)
{
	const struct premap_hull *h = hull_at(p, addr);
	const uint64_t *bits;
	uint64_t base;

	*ret_waits = false;
	if (!h || h->vma->start > addr)
		return h ? MIN_OF(end, h->vma->start) : end;
	end = MIN_OF(end, h->vma->end);
	if (!h->area)
		return end;
	bits = h->area->loaded;
	base = h->area->start;
	*ret_waits = premap_bit(bits, (addr - base) / PAGE_SZ);
	while (addr < end) {
		uint64_t i = (addr - base) / PAGE_SZ;

		if (i % 64 == 0 && bits[i / 64] == (*ret_waits ? UINT64_MAX : 0))
			addr += 64 * PAGE_SZ;
		else if (premap_bit(bits, i) == *ret_waits)
			addr += PAGE_SZ;
		else
			break;
	}
	return MIN_OF(addr, end);
}

uint64_t premap_missing(struct premap *p, uint64_t addr, uint64_t end, uint64_t *ret_end)
{
	uint64_t next = addr;
	bool waits = true;

	while (addr < end && waits) {
		next = stretch(p, addr, end, &waits);
		addr = waits ? next : addr;
	}
	while (next < end && !waits) {
		uint64_t stop = stretch(p, next, end, &waits);

		next = waits ? next : stop;
	}
	*ret_end = next;
	return addr;
}

size_t premap_reserved_ranges(struct premap *p, struct wire_range *ranges, size_t room)
{
	size_t n = 0;

	for (size_t i = 0; p && n < room && i < p->nr_hulls; i++) {
		const VmaEntry *v = p->hulls[i].vma;
		uint64_t at = p->areas.n ? premap_address(p, v) : 0;

		if (at)
			ranges[n++] = (struct wire_range){ at, at + (v->end - v->start) };
	}
	return n;
}
