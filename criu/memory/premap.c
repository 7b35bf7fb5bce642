/* SPDX-License-Identifier: GPL-2.0-only */
#include "memory/premap.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include "memory/memory.h"
#include "pie/vma.h"
#include "util/log.h"

/* Bitmaps of larger mappings (address space that is only reserved) cost more than sharing in them gains. */
#define HULL_MAX (1ull << 40)

bool premap_fits(const VmaEntry *a, const VmaEntry *b)
{
	const uint32_t kind = VMA_ANON_PRIVATE | VMA_FILE_PRIVATE, flags = MAP_GROWSDOWN | MAP_NORESERVE;

	if (((a->status ^ b->status) & kind) || ((a->flags ^ b->flags) & flags))
		return false;
	return (a->status & VMA_ANON_PRIVATE) || (a->shmid == b->shmid && a->pgoff - a->start == b->pgoff - b->start);
}

/* Locking writes to every page of writable private memory: it shares none. */
static bool may_share(const VmaEntry *v)
{
	return vma_has_private_pages(v->status) && !(v->status & VMA_VDSO) &&
	       !(v->flags & (MAP_LOCKED | MAP_HUGETLB)) && (v->flags & MAP_TYPE) == MAP_PRIVATE &&
	       v->end - v->start <= HULL_MAX;
}

struct restore_task *premap_maker(const struct restore_task *rt)
{
	struct restore_task *by = rt->creator;

	while (by && !by->mm)
		by = by->creator;
	return by;
}

static struct premap_hull *hull_new(struct restore *r, const struct restore_task *rt, size_t *ret_nr)
{
	struct premap_hull *hulls = restore_alloc(r, rt->mm->n_vmas * sizeof(*hulls));
	size_t n = 0;

	for (size_t i = 0; hulls && i < rt->mm->n_vmas; i++) {
		const VmaEntry *v = rt->mm->vmas[i];

		if (may_share(v))
			hulls[n++] = (struct premap_hull){ .vma = v, .start = v->start, .end = v->end };
	}
	*ret_nr = n;
	return hulls;
}

/* What @by stages must have room for the mappings of all that descend from it. */
static void extend(struct premap *by, const struct premap *child)
{
	size_t i = 0;

	for (size_t c = 0; c < child->nr_hulls; c++) {
		const struct premap_hull *h = &child->hulls[c];

		while (i < by->nr_hulls && by->hulls[i].vma->end <= h->start)
			i++;
		for (size_t k = i; k < by->nr_hulls && by->hulls[k].vma->start < h->end; k++) {
			struct premap_hull *own = &by->hulls[k];
			uint64_t start = MIN_OF(own->start, h->start), end = MAX_OF(own->end, h->end);

			if (!premap_fits(own->vma, h->vma) || end - start > HULL_MAX)
				continue;
			own->start = start;
			own->end = end;
			own->wanted = by->wanted = true;
		}
	}
}

int premap_link(struct restore *r)
{
	struct restore_task *rt;

	if (r->plan.tree.nr_tasks < 2)
		return 0;
	restore_for_each_task(rt, r) {
		struct premap *p;

		if (!rt->mm || rt->t.state == TASK_DEAD)
			continue;
		p = rt->memory = restore_alloc(r, sizeof(*p));
		if (p)
			p->hulls = hull_new(r, rt, &p->nr_hulls);
		if (!p || !p->hulls)
			return fail(-ENOMEM, "plan of shared memory");
	}
	/* Children first, so that a task's hulls are complete when its maker takes them up. */
	for (struct list *pos = r->plan.tree.tasks.prev; pos != &r->plan.tree.tasks; pos = pos->prev) {
		struct restore_task *by;

		rt = restore_task_of(list_entry(pos, struct task, in_tree));
		by = premap_maker(rt);
		if (rt->memory && by && by->memory)
			extend(by->memory, rt->memory);
	}
	return 0;
}

struct premap_area *premap_find(struct premap *p, const VmaEntry *vma)
{
	size_t low = 0, high = p->areas.n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (p->areas.v[middle].start <= vma->start)
			low = middle + 1;
		else
			high = middle;
	}
	/* Areas reach beyond the VMAs that they were made for: the nearest one need not be the right one. */
	for (size_t tries = 0; low-- > 0 && tries < 4; tries++) {
		struct premap_area *a = &p->areas.v[low];

		if (a->end >= vma->end && premap_fits(a->vma, vma))
			return a;
	}
	return NULL;
}

/* What came by the fork: what no mapping of the task fits goes. */
static void keep_used(struct premap *p)
{
	size_t n = p->areas.n;

	for (size_t i = 0; i < p->nr_hulls; i++) {
		struct premap_area *a = premap_find(p, p->hulls[i].vma);

		if (a)
			a->used = true;
	}
	p->areas.n = 0;
	for (size_t i = 0; i < n; i++) {
		struct premap_area a = p->areas.v[i];

		if (!a.used) {
			munmap((void *)(uintptr_t)a.at, a.end - a.start);
			free(a.loaded);
			continue;
		}
		a.used = false;
		p->areas.v[p->areas.n++] = a;
	}
}

static size_t more_runs(const struct premap *p)
{
	size_t n = 0;

	for (size_t i = 0; i < p->areas.n; i++) {
		const struct premap_area *a = &p->areas.v[i];

		for (uint64_t w = 0; w < (a->end - a->start) / PAGE_SZ / 64 + 1; w++)
			n += MIN_OF(__builtin_popcountll(a->loaded[w]), 32);
	}
	return n + p->nr_hulls;
}

/* The plan of @rt, for this process to work on, with the areas that its maker had. */
static struct premap *premap_own(struct restore *r, const struct restore_task *rt)
{
	struct premap *p = restore_alloc(r, sizeof(*p));
	size_t size = rt->memory->nr_hulls * sizeof(*p->hulls);

	if (!p)
		return NULL;
	*p = *rt->memory;
	p->hulls = restore_alloc(r, size);
	if (!p->hulls)
		return NULL;
	memcpy(p->hulls, rt->memory->hulls, size);
	if (r->process.premap)
		p->areas = r->process.premap->areas;
	r->process.premap = p;
	return p;
}

int memory_stage_shared(struct restore *r, struct restore_task *rt)
{
	struct premap *p;
	int err = 0;

	if (!rt->memory)
		return 0;
	p = premap_own(r, rt);
	if (!p)
		return fail(-ENOMEM, "shared pages");
	keep_used(p);
	if (p->wanted)
		err = premap_stage(r, rt, p);
	if (!err && p->areas.n)
		p->more_runs = more_runs(p);
	return err;
}

int premap_pages_open(struct pagemap *map, struct premap_pages *ret_pages)
{
	struct premap_pages p = { .map = map };

	p.mem = calloc(map->nr_sources, sizeof(*p.mem));
	p.len = calloc(map->nr_sources, sizeof(*p.len));
	if (!p.mem || !p.len) {
		premap_pages_close(&p);
		return fail(-ENOMEM, "pages images");
	}
	for (size_t i = 0; i < map->nr_sources; i++) {
		struct stat st;
		void *mem;

		if (map->sources[i] < 0)
			continue;
		mem = fstat(map->sources[i], &st) < 0 ?
			      MAP_FAILED :
			      mmap(NULL, st.st_size, PROT_READ, MAP_PRIVATE, map->sources[i], 0);
		if (mem == MAP_FAILED) {
			int err = -errno;

			premap_pages_close(&p);
			return fail(err, "map the pages image");
		}
		p.mem[i] = mem;
		p.len[i] = st.st_size;
	}
	*ret_pages = p;
	return 0;
}

void premap_pages_close(struct premap_pages *p)
{
	for (size_t i = 0; p->mem && p->len && i < p->map->nr_sources; i++)
		if (p->mem[i])
			munmap(p->mem[i], p->len[i]);
	free(p->mem);
	free(p->len);
	*p = (struct premap_pages){ 0 };
}

/* Back to what the mapping itself gives: zeroes, or the file. */
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

static int settle_vma(const struct premap_pages *pages, struct premap_hull *h, struct premap_area *a,
		      struct wire_task *wire)
{
	const VmaEntry *v = h->vma;
	const struct pagemap_run *run = pagemap_find(pages->map, v->start);
	const struct pagemap_run *runs_end = pages->map->runs + pages->map->nr_runs;
	uint64_t drop_from = 0, drop_to = 0, kept = 0, dropped = 0;
	int err = 0;

	for (uint64_t at = v->start; !err && at < v->end; at += PAGE_SZ) {
		uint64_t i = (at - a->start) / PAGE_SZ;

		if (!a->loaded[i / 64] && i % 64 == 0) {
			at += 63 * PAGE_SZ;
			continue;
		}
		if (!premap_bit(a->loaded, i))
			continue;
		while (run && run < runs_end && run->vaddr + run->nr_pages * PAGE_SZ <= at)
			run++;
		if (run && run < runs_end && run->vaddr <= at && (run->flags & PAGEMAP_PRESENT) &&
		    !memcmp((void *)(uintptr_t)(a->at + i * PAGE_SZ), premap_page(pages, run, at), PAGE_SZ)) {
			kept++;
			continue;
		}
		dropped++;
		if (drop_to != at) {
			err = drop(a, drop_from, drop_to);
			drop_from = at;
		}
		drop_to = at + PAGE_SZ;
	}
	wire->pages_compared += kept + dropped;
	wire->pages_inherited += kept;
	/* Nothing kept: it is mapped anew, and its pages come the fast way. */
	h->area = kept ? a : NULL;
	return err ? err : drop(a, drop_from, drop_to);
}

int premap_settle(struct premap *p, struct pagemap *map, struct wire_task *wire)
{
	struct premap_pages pages;
	int err;

	if (!p || !p->areas.n)
		return 0;
	err = premap_pages_open(map, &pages);
	if (err)
		return err;
	for (size_t i = 0; !err && i < p->nr_hulls; i++) {
		struct premap_area *a = premap_find(p, p->hulls[i].vma);

		if (a)
			err = settle_vma(&pages, &p->hulls[i], a, wire);
	}
	premap_pages_close(&pages);
	return err;
}

/* The hull whose VMA holds @addr, or the first one behind it. */
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

/* The end of the pages from @addr on that all wait, or all do not. */
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

size_t premap_spares(struct premap *p, struct wire_range *ranges, size_t room)
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
