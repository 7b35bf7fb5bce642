/* SPDX-License-Identifier: GPL-2.0-only */
/* Before a task forks: find the pages that it shares with its children, and bring them into memory. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>
#include "memory/memory.h"
#include "memory/premap.h"
#include "pie/vma.h"
#include "util/fds.h"
#include "util/log.h"

/* Of more pages than this so many are looked at first: programs that share nothing cost no more than that. */
#define SAMPLES 512

static uint64_t run_end(const struct pagemap_run *run)
{
	return run->vaddr + run->nr_pages * PAGE_SZ;
}

/* ---- what is shared ---- */

/* Pages that both have in [at, end): the next such piece. */
static bool next_common(const struct pagemap *a, const struct pagemap *b, const struct pagemap_run **run_a,
			const struct pagemap_run **run_b, uint64_t *at, uint64_t end, uint64_t *ret_end)
{
	const struct pagemap_run *x = *run_a, *y = *run_b;

	while (x && y && x < a->runs + a->nr_runs && y < b->runs + b->nr_runs && *at < end) {
		uint64_t start = MAX_OF(*at, MAX_OF(x->vaddr, y->vaddr));
		uint64_t stop = MIN_OF(end, MIN_OF(run_end(x), run_end(y)));
		bool both = (x->flags & PAGEMAP_PRESENT) && (y->flags & PAGEMAP_PRESENT);

		*run_a = x;
		*run_b = y;
		if (run_end(x) <= run_end(y))
			x++;
		else
			y++;
		if (start < stop && both) {
			*at = start;
			*ret_end = stop;
			return true;
		}
	}
	return false;
}

/* Compare every @stride-th common page. Returns how many are equal; a stride of 1 notes them in @shared. */
static uint64_t compare(const struct premap_pages *own, const struct premap_pages *child, uint64_t start, uint64_t end,
			uint64_t stride, struct premap_hull *h, uint64_t *ret_common)
{
	const struct pagemap_run *x = pagemap_find(own->map, start), *y = pagemap_find(child->map, start);
	uint64_t at = start, stop, common = 0, equal = 0;

	for (; next_common(own->map, child->map, &x, &y, &at, end, &stop); at = stop) {
		for (uint64_t page = at; stride && page < stop; page += PAGE_SZ) {
			uint64_t i = (page - h->vma->start) / PAGE_SZ;

			if ((common + (page - at) / PAGE_SZ) % stride || (h->shared && premap_bit(h->shared, i)))
				continue;
			if (memcmp(premap_page(own, x, page), premap_page(child, y, page), PAGE_SZ))
				continue;
			equal++;
			if (stride == 1)
				h->shared[i / 64] |= BIT(i % 64);
		}
		common += (stop - at) / PAGE_SZ;
	}
	*ret_common = common;
	return equal;
}

static int compare_vma(const struct premap_pages *own, const struct premap_pages *child, struct premap_hull *h,
		       const VmaEntry *v)
{
	uint64_t start = MAX_OF(h->vma->start, v->start), end = MIN_OF(h->vma->end, v->end), common, ignored;

	compare(own, child, start, end, 0, h, &common);
	if (!common ||
	    (common > SAMPLES && !h->shared && !compare(own, child, start, end, common / SAMPLES + 1, h, &ignored)))
		return 0;
	if (!h->shared)
		h->shared = calloc((h->vma->end - h->vma->start) / PAGE_SZ / 64 + 1, sizeof(*h->shared));
	if (!h->shared)
		return fail(-ENOMEM, "map of shared pages");
	compare(own, child, start, end, 1, h, &ignored);
	return 0;
}

typedef int (*pair_fn)(const struct premap_pages *own, const struct premap_pages *child, struct premap_hull *h,
		       const VmaEntry *v);

static int found(const struct premap_pages *own, const struct premap_pages *child, struct premap_hull *h,
		 const VmaEntry *v)
{
	return 1;
}

/* Every pair of VMAs that lie over each other and fit. */
static int for_each_pair(struct premap *p, const struct premap *c, const struct premap_pages *own,
			 const struct premap_pages *child, pair_fn fn)
{
	size_t i = 0;

	for (size_t k = 0; k < c->nr_hulls; k++) {
		const VmaEntry *v = c->hulls[k].vma;

		while (i < p->nr_hulls && p->hulls[i].vma->end <= v->start)
			i++;
		for (size_t j = i; j < p->nr_hulls && p->hulls[j].vma->start < v->end; j++) {
			int err = premap_fits(p->hulls[j].vma, v) ? fn(own, child, &p->hulls[j], v) : 0;

			if (err)
				return err;
		}
	}
	return 0;
}

static int compare_child(struct restore *r, struct premap *p, const struct premap_pages *own, struct restore_task *rt)
{
	_cleanup_pagemap_ struct pagemap *map = NULL;
	struct premap_pages child;
	int err;

	if (!for_each_pair(p, rt->memory, NULL, NULL, found))
		return 0;
	err = pagemap_load(r->dir, IMAGE_PAGEMAP, rt->t.pid, &map);
	if (err < 0)
		return fail(err, "%s", image_store_error(r->dir));
	err = premap_pages_open(map, &child);
	if (err)
		return err;
	err = for_each_pair(p, rt->memory, own, &child, compare_vma);
	premap_pages_close(&child);
	return err;
}

/* All that inherit from this process: what it forks, and what its helpers and those that live in its memory do. */
static int compare_children(struct restore *r, struct premap *p, const struct premap_pages *own,
			    const struct restore_task *by)
{
	int err = 0;

	for (struct restore_task *child = by->forks; !err && child; child = child->next_forked) {
		err = child->memory ? compare_child(r, p, own, child) : compare_children(r, p, own, child);
	}
	return err;
}

/* ---- where it goes ---- */

static int cmp_area(const void *a, const void *b)
{
	const struct premap_area *x = a, *y = b;

	return (x->start > y->start) - (x->start < y->start);
}

/* In its final place unless the tool itself is there; else where no task will have anything. 0: nowhere. */
static uint64_t map_area(struct restore *r, const struct premap_hull *h, int flags, int fd, uint64_t offset)
{
	uint64_t len = h->end - h->start, at = h->start;
	struct holes holes;
	void *p;

	p = mmap((void *)(uintptr_t)at, len, PROT_READ | PROT_WRITE, flags | MAP_FIXED_NOREPLACE, fd, offset);
	if (p != MAP_FAILED || errno != EEXIST || holes_read(r, NULL, &holes))
		return p == MAP_FAILED ? 0 : at;
	/* The same place in a huge page as in the end: page tables move whole (mremap). */
	at = holes_take(&holes, len + HUGE_PAGE_SZ, HUGE_PAGE_SZ);
	holes_free(&holes);
	if (!at)
		return 0;
	at += h->start % HUGE_PAGE_SZ;
	p = mmap((void *)(uintptr_t)at, len, PROT_READ | PROT_WRITE, flags | MAP_FIXED_NOREPLACE, fd, offset);
	return p == MAP_FAILED ? 0 : at;
}

/* -EAGAIN: there is no room; it is restored without sharing. */
static int area_new(struct restore *r, struct premap *p, const struct premap_hull *h, struct premap_area **ret_area)
{
	struct premap_area a = { .start = h->start, .end = h->end, .vma = h->vma };
	int flags = MAP_PRIVATE | (int)(h->vma->flags & (MAP_GROWSDOWN | MAP_NORESERVE));
	_cleanup_close_ int fd = -1;
	uint64_t offset = 0;

	if (h->vma->status & VMA_FILE_PRIVATE) {
		struct file *file = restore_file(r, h->vma->shmid, "a mapping");

		if (!file)
			return -EBADMSG;
		/* The hull may begin before this VMA does. */
		offset = h->vma->pgoff - (h->vma->start - h->start);
		fd = restore_open_file_for_all(r, file);
		if (fd < 0)
			return fd;
	} else {
		flags |= MAP_ANONYMOUS;
	}
	a.loaded = calloc((a.end - a.start) / PAGE_SZ / 64 + 1, sizeof(*a.loaded));
	if (!a.loaded || array_reserve(&p->areas, 1)) {
		free(a.loaded);
		return fail(-ENOMEM, "shared pages");
	}
	a.at = map_area(r, h, flags, fd, offset);
	if (!a.at) {
		log_debug("no place to share pages of %lx-%lx in: each task gets its own", a.start, a.end);
		free(a.loaded);
		return -EAGAIN;
	}
	array_add(&p->areas, a);
	array_sort(&p->areas, cmp_area);
	*ret_area = premap_find(p, h->vma);
	return *ret_area ? 0 : -EAGAIN;
}

/* ---- loading ---- */

static int read_in(struct premap_area *a, int fd, const struct pagemap_run *run, uint64_t start, uint64_t end)
{
	int err = end > start ? pread_exact(fd, (void *)(uintptr_t)(a->at + (start - a->start)), end - start,
					    run->offset + (start - run->vaddr)) :
				0;

	if (err < 0)
		return fail(err, "read shared pages at %lx", start);
	for (uint64_t at = start; at < end; at += PAGE_SZ) {
		uint64_t i = (at - a->start) / PAGE_SZ;

		a->loaded[i / 64] |= BIT(i % 64);
	}
	return 0;
}

static void done(struct premap_hull *h, uint64_t start, uint64_t end)
{
	for (uint64_t at = start; at < end; at += PAGE_SZ) {
		uint64_t i = (at - h->vma->start) / PAGE_SZ;

		h->shared[i / 64] &= ~BIT(i % 64);
	}
}

/* Is the page already there, from our own maker? */
static bool is_there(const struct premap_pages *own, const struct pagemap_run *run, const struct premap_area *a,
		     uint64_t at)
{
	return premap_bit(a->loaded, (at - a->start) / PAGE_SZ) &&
	       !memcmp((void *)(uintptr_t)(a->at + (at - a->start)), premap_page(own, run, at), PAGE_SZ);
}

/* Shared pages of one run, in [at, end). @huge: whole huge pages only. */
static int load_run(const struct premap_pages *own, const struct pagemap_run *run, struct premap_hull *h,
		    struct premap_area *a, uint64_t at, uint64_t end, bool huge)
{
	int fd = pagemap_source(own->map, run), err = 0;

	while (!err && at < end) {
		uint64_t start = at, stop;

		for (; at < end && premap_bit(h->shared, (at - h->vma->start) / PAGE_SZ) && !is_there(own, run, a, at);)
			at += PAGE_SZ;
		stop = at;
		if (huge) {
			/* By the area's own borders: in its final place they are the target's, too. */
			start = ROUND_UP(start, HUGE_PAGE_SZ);
			stop = ROUND_DOWN(stop, HUGE_PAGE_SZ);
		}
		if (start < stop) {
			err = read_in(a, fd, run, start, stop);
			atomic_fetch_add(own->bytes_read, stop - start);
			done(h, start, stop);
		}
		at += at < end ? PAGE_SZ : 0;
	}
	return err;
}

static int load_hull(const struct premap_pages *own, struct premap_hull *h, struct premap_area *a, bool huge)
{
	const struct pagemap_run *run = pagemap_find(own->map, h->vma->start);
	const struct pagemap_run *last = own->map->runs + own->map->nr_runs;
	int err = 0;

	for (; !err && run && run < last && run->vaddr < h->vma->end; run++)
		if (run->flags & PAGEMAP_PRESENT)
			err = load_run(own, run, h, a, MAX_OF(run->vaddr, h->vma->start),
				       MIN_OF(run_end(run), h->vma->end), huge);
	return err;
}

static int stage_hulls(struct restore *r, struct premap *p, const struct premap_pages *own)
{
	int err = 0, thp = prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0);

	for (size_t i = 0; !err && i < p->nr_hulls; i++) {
		struct premap_hull *h = &p->hulls[i];
		struct premap_area *a = h->shared ? premap_find(p, h->vma) : NULL;

		if (!h->shared)
			continue;
		if (!a)
			err = area_new(r, p, h, &a);
		if (!err)
			err = load_hull(own, h, a, true);
		/* Where only some pages of a block are shared a huge page would take memory that nobody had. */
		if (!err && thp <= 0)
			prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
		if (!err)
			err = load_hull(own, h, a, false);
		if (thp <= 0)
			prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0);
		err = err == -EAGAIN ? 0 : err;
		free(h->shared);
		h->shared = NULL;
	}
	return err;
}

static int stage(struct restore *r, struct restore_task *rt, struct premap *p)
{
	_cleanup_pagemap_ struct pagemap *map = NULL;
	struct premap_pages own;
	int err = pagemap_load(r->dir, IMAGE_PAGEMAP, rt->t.pid, &map);

	if (err < 0)
		return fail(err, "%s", image_store_error(r->dir));
	err = premap_pages_open(map, &own);
	if (err)
		return err;
	own.bytes_read = &r->shared->words.bytes;
	err = compare_children(r, p, &own, rt);
	if (!err)
		err = stage_hulls(r, p, &own);
	premap_pages_close(&own);
	return err;
}

/* ---- the areas of this process ---- */

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
static struct premap *own_plan(struct restore *r, const struct restore_task *rt)
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
	p = own_plan(r, rt);
	if (!p)
		return fail(-ENOMEM, "shared pages");
	keep_used(p);
	if (p->wanted)
		err = stage(r, rt, p);
	if (!err && p->areas.n)
		p->more_runs = more_runs(p);
	return err;
}
