/* SPDX-License-Identifier: GPL-2.0-only */
/* Before a task forks: find the pages that it shares with its children, and bring them into memory. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>
#include "memory/mapped_files.h"
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

/* What a process stages for the tasks that it is going to fork. */
struct staging {
	struct restore *r;
	struct premap *p;
	const struct page_source *source; /* of its own task */
	struct page_view own;
};

/* ---- what is shared ---- */

/* A mapping of the task, one of a child of it that fits, and the addresses that both have. */
struct pair {
	const struct page_view *own, *child;
	struct premap_hull *h;
	uint64_t start, end;
};

/* A stretch of pages that both have, all of it in one run of either. */
struct common {
	const struct pagemap_run *own, *child; /* NULL: there are no more */
	uint64_t start, end;
};

static bool is_past(const struct pagemap *map, const struct pagemap_run *run)
{
	return !run || run == map->runs + map->nr_runs;
}

static struct common common_begin(const struct pair *pair)
{
	return (struct common){
		.own = pagemap_find(pair->own->map, pair->start),
		.child = pagemap_find(pair->child->map, pair->start),
		.end = pair->start,
	};
}

/* The next one behind @c. */
static bool common_next(const struct pair *pair, struct common *c)
{
	while (!is_past(pair->own->map, c->own) && !is_past(pair->child->map, c->child) && c->end < pair->end) {
		uint64_t start = MAX_OF(c->end, MAX_OF(c->own->vaddr, c->child->vaddr));
		uint64_t end = MIN_OF(pair->end, MIN_OF(run_end(c->own), run_end(c->child)));

		if (start < end && (c->own->flags & c->child->flags & PAGEMAP_PRESENT)) {
			c->start = start;
			c->end = end;
			return true;
		}
		if (run_end(c->own) <= run_end(c->child))
			c->own++;
		else
			c->child++;
	}
	return false;
}

/* Compare every @stride-th common page (0: none). Returns how many are equal; a stride of 1 notes them in @shared. */
static uint64_t compare(const struct pair *pair, uint64_t stride, uint64_t *ret_common)
{
	struct common c = common_begin(pair);
	struct premap_hull *h = pair->h;
	uint64_t common = 0, equal = 0;

	for (; common_next(pair, &c); common += (c.end - c.start) / PAGE_SZ) {
		for (uint64_t page = c.start; stride && page < c.end; page += PAGE_SZ) {
			uint64_t i = (page - h->vma->start) / PAGE_SZ;

			if ((common + (page - c.start) / PAGE_SZ) % stride || (h->shared && premap_bit(h->shared, i)))
				continue;
			if (memcmp(page_view_at(pair->own, c.own, page), page_view_at(pair->child, c.child, page),
				   PAGE_SZ))
				continue;
			equal++;
			if (stride == 1)
				h->shared[i / 64] |= BIT(i % 64);
		}
	}
	*ret_common = common;
	return equal;
}

static int compare_pair(const struct pair *pair)
{
	struct premap_hull *h = pair->h;
	uint64_t common, ignored;

	compare(pair, 0, &common);
	if (!common || (common > SAMPLES && !h->shared && !compare(pair, common / SAMPLES + 1, &ignored)))
		return 0;
	if (!h->shared)
		h->shared = calloc((h->vma->end - h->vma->start) / PAGE_SZ / 64 + 1, sizeof(*h->shared));
	if (!h->shared)
		return fail(-ENOMEM, "map of shared pages");
	compare(pair, 1, &ignored);
	return 0;
}

static int found(const struct pair *pair)
{
	return 1;
}

/* Every pair of mappings that lie over each other and fit. @child is NULL as long as it takes no pages to tell. */
static int for_each_pair(struct staging *s, const struct premap *c, const struct page_view *child,
			 int (*fn)(const struct pair *))
{
	struct premap *p = s->p;
	size_t i = 0;

	for (size_t k = 0; k < c->nr_hulls; k++) {
		const VmaEntry *v = c->hulls[k].vma;

		while (i < p->nr_hulls && p->hulls[i].vma->end <= v->start)
			i++;
		for (size_t j = i; j < p->nr_hulls && p->hulls[j].vma->start < v->end; j++) {
			struct premap_hull *h = &p->hulls[j];
			struct pair pair = { .own = &s->own,
					     .child = child,
					     .h = h,
					     .start = MAX_OF(h->vma->start, v->start),
					     .end = MIN_OF(h->vma->end, v->end) };
			int err = premap_fits(h->vma, v) ? fn(&pair) : 0;

			if (err)
				return err;
		}
	}
	return 0;
}

static int compare_child(struct staging *s, struct restore_task *rt)
{
	_cleanup_page_source_ struct page_source *source = NULL;
	struct page_view child;
	int err;

	if (!for_each_pair(s, rt->memory, NULL, found))
		return 0;
	err = page_source_open_task(s->r, rt, &source);
	if (!err)
		err = source->ops->view(source, &child);
	if (err)
		return err;
	err = for_each_pair(s, rt->memory, &child, compare_pair);
	page_view_close(&child);
	return err;
}

/* All that inherit from this process: what it forks, and what its helpers and those that live in its memory do. */
static int compare_children(struct staging *s, const struct restore_task *by)
{
	int err = 0;

	for (struct restore_task *child = by->forks; !err && child; child = child->next_forked)
		err = child->memory ? compare_child(s, child) : compare_children(s, child);
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

/* Shared pages of one mapping, into its area. @huge: whole huge pages only. */
struct loading {
	const struct staging *s;
	struct premap_hull *h;
	struct premap_area *a;
	bool huge;
};

static void *place_in(const struct premap_area *a, uint64_t addr)
{
	return (void *)(uintptr_t)(a->at + (addr - a->start));
}

static int read_in(const struct loading *l, const struct pagemap_run *run, uint64_t start, uint64_t end)
{
	const struct page_source *source = l->s->source;
	int err = source->ops->read(source, run, start, place_in(l->a, start), end - start);

	if (err < 0)
		return fail(err, "read shared pages at %lx", start);
	for (uint64_t at = start; at < end; at += PAGE_SZ) {
		uint64_t i = (at - l->a->start) / PAGE_SZ, k = (at - l->h->vma->start) / PAGE_SZ;

		l->a->loaded[i / 64] |= BIT(i % 64);
		l->h->shared[k / 64] &= ~BIT(k % 64);
	}
	atomic_fetch_add(&l->s->r->shared->error.bytes, end - start);
	return 0;
}

/* Is the page already there, from our own maker? */
static bool is_there(const struct loading *l, const struct pagemap_run *run, uint64_t at)
{
	return premap_bit(l->a->loaded, (at - l->a->start) / PAGE_SZ) &&
	       !memcmp(place_in(l->a, at), page_view_at(&l->s->own, run, at), PAGE_SZ);
}

/* Those of one run, in [at, end). */
static int load_run(const struct loading *l, const struct pagemap_run *run, uint64_t at, uint64_t end)
{
	int err = 0;

	while (!err && at < end) {
		uint64_t start = at, stop;

		while (at < end && premap_bit(l->h->shared, (at - l->h->vma->start) / PAGE_SZ) && !is_there(l, run, at))
			at += PAGE_SZ;
		stop = at;
		if (l->huge) {
			/* By the area's own borders: in its final place they are the target's, too. */
			start = ROUND_UP(start, HUGE_PAGE_SZ);
			stop = ROUND_DOWN(stop, HUGE_PAGE_SZ);
		}
		if (start < stop)
			err = read_in(l, run, start, stop);
		at += at < end ? PAGE_SZ : 0;
	}
	return err;
}

static int load_hull(const struct loading *l)
{
	const struct pagemap *map = l->s->own.map;
	const struct pagemap_run *run = pagemap_find(map, l->h->vma->start), *last = map->runs + map->nr_runs;
	int err = 0;

	for (; !err && run && run < last && run->vaddr < l->h->vma->end; run++)
		if (run->flags & PAGEMAP_PRESENT)
			err = load_run(l, run, MAX_OF(run->vaddr, l->h->vma->start),
				       MIN_OF(run_end(run), l->h->vma->end));
	return err;
}

static int stage_hull(struct staging *s, struct premap_hull *h, bool thp)
{
	struct loading l = { .s = s, .h = h, .a = premap_find(s->p, h->vma), .huge = true };
	int err = l.a ? 0 : area_new(s->r, s->p, h, &l.a);

	if (!err)
		err = load_hull(&l);
	/* Where only some pages of a block are shared a huge page would take memory that nobody had. */
	if (!err && thp)
		prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
	l.huge = false;
	if (!err)
		err = load_hull(&l);
	if (thp)
		prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0);
	free(h->shared);
	h->shared = NULL;
	return err == -EAGAIN ? 0 : err;
}

static int stage(struct restore *r, struct restore_task *rt, struct premap *p)
{
	_cleanup_page_source_ struct page_source *source = NULL;
	struct staging s = { .r = r, .p = p };
	bool thp = prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0) <= 0;
	int err = page_source_open_task(r, rt, &source);

	if (err || !source->ops->view)
		return err;
	s.source = source;
	err = source->ops->view(source, &s.own);
	if (err)
		return err;
	err = compare_children(&s, rt);
	for (size_t i = 0; !err && i < p->nr_hulls; i++)
		if (p->hulls[i].shared)
			err = stage_hull(&s, &p->hulls[i], thp);
	page_view_close(&s.own);
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
	int err;

	if (!rt->memory)
		return 0;
	p = own_plan(r, rt);
	if (!p)
		return fail(-ENOMEM, "shared pages");
	keep_used(p);
	err = mapped_files_before_fork(r, rt);
	if (!err && p->wanted)
		err = stage(r, rt, p);
	if (!err && p->areas.n)
		p->more_runs = more_runs(p);
	return err;
}
