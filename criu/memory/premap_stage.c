/* SPDX-License-Identifier: GPL-2.0-only */
/* Before a task forks: finds the pages that it shares with its children, and loads them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>
#include "memory/huge_blocks.h"
#include "memory/mapped_files.h"
#include "memory/memory.h"
#include "memory/premap_compare.h"
#include "pie/vma.h"
#include "util/fds.h"
#include "util/log.h"

/* ---- placement ---- */

static int cmp_area(const void *a, const void *b)
{
	const struct premap_area *x = a, *y = b;

	return (x->start > y->start) - (x->start < y->start);
}

/* At its final address unless the tool itself is there; otherwise where no task will map anything. 0: nowhere. */
static uint64_t map_area(struct restore *r, const struct premap_hull *h, int flags, int fd, uint64_t offset)
{
	uint64_t len = h->end - h->start, at = h->start;
	struct holes holes;
	void *p;

	p = mmap((void *)(uintptr_t)at, len, PROT_READ | PROT_WRITE, flags | MAP_FIXED_NOREPLACE, fd, offset);
	if (p != MAP_FAILED || errno != EEXIST || holes_read(r, NULL, &holes))
		return p == MAP_FAILED ? 0 : at;
	/* At the same offset in a huge page as its final address: page tables are moved as a whole (mremap). */
	at = holes_take(&holes, len + HUGE_PAGE_SZ, HUGE_PAGE_SZ);
	holes_free(&holes);
	if (!at)
		return 0;
	at += h->start % HUGE_PAGE_SZ;
	p = mmap((void *)(uintptr_t)at, len, PROT_READ | PROT_WRITE, flags | MAP_FIXED_NOREPLACE, fd, offset);
	return p == MAP_FAILED ? 0 : at;
}

int premap_area_new(struct restore *r, struct premap *p, const struct premap_hull *h, int fd)
{
	struct premap_area a = { .start = h->start, .end = h->end, .vma = h->vma };
	int flags = MAP_PRIVATE | (int)(h->vma->flags & (MAP_GROWSDOWN | MAP_NORESERVE));
	uint64_t offset = 0;

	if (h->vma->status & VMA_FILE_PRIVATE)
		offset = h->vma->pgoff - (h->vma->start - h->start); /* the hull may start before this VMA */
	else
		flags |= MAP_ANONYMOUS;
	a.loaded = calloc((a.end - a.start) / PAGE_SZ / 64 + 1, sizeof(*a.loaded));
	if (!a.loaded || array_reserve(&p->areas, 1)) {
		free(a.loaded);
		return fail(-ENOMEM, "shared pages");
	}
	a.at = map_area(r, h, flags, fd, offset);
	if (!a.at) {
		log_debug("no place to put pages of %lx-%lx in", a.start, a.end);
		free(a.loaded);
		return -EAGAIN;
	}
	array_add(&p->areas, a);
	array_sort(&p->areas, cmp_area);
	return 0;
}

/* -EAGAIN: there is no space; it is restored without sharing. */
static int area_new(struct restore *r, struct premap *p, const struct premap_hull *h, struct premap_area **ret_area)
{
	_cleanup_close_ int fd = -1;
	int err;

	if (h->vma->status & VMA_FILE_PRIVATE) {
		struct file *file = restore_file(r, h->vma->shmid, "a mapping");

		if (!file)
			return -EBADMSG;
		fd = restore_open_file_for_all(r, file);
		if (fd < 0)
			return fd;
	}
	err = premap_area_new(r, p, h, fd);
	if (err)
		return err;
	*ret_area = premap_find(p, h->vma);
	return *ret_area ? 0 : -EAGAIN;
}

/* ---- loading ---- */

/* Shared pages of one mapping, loaded into its area. */
struct loading {
	const struct staging *s;
	struct premap_hull *h;
	struct premap_area *a;
	struct huge_blocks *huge; /* whole huge pages only; NULL: all */
};

static void *place_in(const struct premap_area *a, uint64_t addr)
{
	return (void *)(uintptr_t)(a->at + (addr - a->start));
}

static int read_pages(const struct loading *l, const struct pagemap_run *run, uint64_t start, uint64_t end)
{
	const struct page_source *source = l->s->source;
	const struct block_read what = {
		.source = source,
		.run = run,
		.addr = start,
		.len = end - start,
		.to = place_in(l->a, start),
		.map_start = l->a->at,
		.map_end = l->a->at + (l->a->end - l->a->start),
	};

	return l->huge ? huge_blocks_read(l->huge, &what) : source->ops->read(source, run, start, what.to, what.len);
}

static int read_in(const struct loading *l, const struct pagemap_run *run, uint64_t start, uint64_t end)
{
	int err = read_pages(l, run, start, end);

	if (err == -EBADMSG)
		return fail(err, "shared pages at %lx: a compressed block in the pages image is damaged", start);
	if (err < 0)
		return fail(err, "read shared pages at %lx", start);
	for (uint64_t at = start; at < end; at += PAGE_SZ) {
		uint64_t i = (at - l->a->start) / PAGE_SZ, k = (at - l->h->vma->start) / PAGE_SZ;

		l->a->loaded[i / 64] |= BIT(i % 64);
		l->a->as_image[i / 64] |= BIT(i % 64);
		l->h->shared[k / 64] &= ~BIT(k % 64);
	}
	atomic_fetch_add(&l->s->r->shared->state->counts.bytes, end - start);
	return 0;
}

/* Is the page inherited from our own parent already? */
static bool is_there(const struct loading *l, const struct pagemap_run *run, uint64_t at)
{
	uint64_t i = (at - l->a->start) / PAGE_SZ;

	if (!premap_bit(l->a->loaded, i) || premap_bit(l->a->as_image, i))
		return premap_bit(l->a->as_image, i);
	if (!page_view_equals(&l->s->own, run, at, place_in(l->a, at)))
		return false;
	l->a->as_image[i / 64] |= BIT(i % 64);
	return true;
}

/* Shared pages of one run, in [at, end). */
static int load_run(const struct loading *l, const struct pagemap_run *run, uint64_t at, uint64_t end)
{
	int err = 0;

	while (!err && at < end) {
		uint64_t start = at, stop;

		while (at < end && premap_bit(l->h->shared, (at - l->h->vma->start) / PAGE_SZ) && !is_there(l, run, at))
			at += PAGE_SZ;
		stop = at;
		if (l->huge) {
			/* By the area's own borders: at its final address they are also the target's. */
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
				       MIN_OF(pagemap_run_end(run), l->h->vma->end));
	return err;
}

/* Where only some pages of a block are shared, a huge page would use memory that no task used before. */
static int load_both_ways(struct loading *l, struct huge_blocks *huge, bool thp)
{
	int err = 0;

	l->huge = huge;
	if (thp && vma_may_be_huge(l->h->vma))
		err = load_hull(l);
	if (err)
		return err;
	if (thp)
		prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
	l->huge = NULL;
	err = load_hull(l);
	if (thp)
		prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0);
	return err;
}

static int stage_hull(struct staging *s, struct premap_hull *h, struct huge_blocks *huge, bool thp)
{
	struct loading l = { .s = s, .h = h, .a = premap_find(s->p, h->vma) };
	int err = l.a ? 0 : area_new(s->r, s->p, h, &l.a);

	if (!err && !l.a->as_image) {
		l.a->as_image = calloc((l.a->end - l.a->start) / PAGE_SZ / 64 + 1, sizeof(*l.a->as_image));
		err = l.a->as_image ? 0 : fail(-ENOMEM, "shared pages");
	}
	if (!err)
		err = load_both_ways(&l, huge, thp);
	free(h->shared);
	h->shared = NULL;
	return err == -EAGAIN ? 0 : err;
}

static int stage(struct restore *r, struct restore_task *rt, struct premap *p)
{
	_cleanup_page_source_ struct page_source *source = NULL;
	struct huge_blocks huge = HUGE_BLOCKS_CLOSED;
	struct staging s = { .r = r, .p = p };
	bool thp = prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0) <= 0;
	int err = page_source_open_task(r, rt, &source);

	if (err || !source->ops->view)
		return err;
	s.source = source;
	err = source->ops->view(source, &s.own);
	if (err)
		return err;
	err = premap_compare_children(&s, rt);
	for (size_t i = 0; !err && i < p->nr_hulls; i++)
		if (p->hulls[i].shared)
			err = stage_hull(&s, &p->hulls[i], &huge, thp);
	huge_blocks_close(&huge);
	page_view_close(&s.own);
	return err;
}

/* ---- the areas of this process ---- */

static void copy_bits(uint64_t *to, const uint64_t *from, uint64_t first, uint64_t last)
{
	for (uint64_t i = first; i < last; i++)
		to[i / 64] |= from[i / 64] & BIT(i % 64);
}

/*
 * Inherited pages that our maker knew to be those of its image, and that are the same page image as ours. NULL: none are
 * known.
 */
static uint64_t *known_pages(const struct premap_area *a, const struct pagemap *maker, const struct pagemap *own)
{
	const struct pagemap_run *x, *y, *x_end, *y_end;
	uint64_t *known = NULL;

	if (!a->as_image || !maker || !own || !own->nr_runs || !maker->nr_runs)
		return NULL;
	x = pagemap_find(maker, a->start);
	y = pagemap_find(own, a->start);
	x_end = maker->runs + maker->nr_runs;
	y_end = own->runs + own->nr_runs;
	while (x && y && x < x_end && y < y_end && x->vaddr < a->end && y->vaddr < a->end) {
		uint64_t start = MAX_OF(a->start, MAX_OF(x->vaddr, y->vaddr));
		uint64_t end = MIN_OF(a->end, MIN_OF(pagemap_run_end(x), pagemap_run_end(y)));

		if (start < end && premap_same_image(maker, x, own, y)) {
			if (!known)
				known = calloc((a->end - a->start) / PAGE_SZ / 64 + 1, sizeof(*known));
			if (!known) /* then they are compared */
				return NULL;
			copy_bits(known, a->as_image, (start - a->start) / PAGE_SZ, (end - a->start) / PAGE_SZ);
		}
		if (pagemap_run_end(x) <= pagemap_run_end(y))
			x++;
		else
			y++;
	}
	return known;
}

/* Drops inherited areas that match no mapping of the task. */
static void keep_used(struct premap *p, const struct pagemap *maker)
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
		/* It refers to the parent's image. Not freed: that would copy pages of the heap. */
		a.as_image = known_pages(&a, maker, p->map);
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
	p->map = rt->pagemap;
	if (r->process.premap)
		p->areas = r->process.premap->areas;
	r->process.premap = p;
	return p;
}

int memory_stage_shared(struct restore *r, struct restore_task *rt)
{
	const struct pagemap *maker = r->process.premap ? r->process.premap->map : NULL;
	struct premap *p;
	int err;

	if (!rt->memory)
		return 0;
	p = own_plan(r, rt);
	if (!p)
		return fail(-ENOMEM, "shared pages");
	keep_used(p, maker);
	err = mapped_files_before_fork(r, rt);
	if (!err && p->wanted)
		err = stage(r, rt, p);
	if (!err && p->areas.n)
		p->more_runs = more_runs(p);
	return err;
}
