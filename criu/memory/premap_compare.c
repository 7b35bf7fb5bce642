/* SPDX-License-Identifier: GPL-2.0-only */
/* Finds the pages that a task shares with its children: those that are equal in their images. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "memory/premap_compare.h"
#include "pie/vma.h"
#include "util/log.h"

/* Of more pages than this, so many are compared first: programs that share nothing cost no more than that. */
#define SAMPLES 512
/* For a block of at least so many bytes, a few pages are compared, to see whether all are equal. */
#define WORTH_GUESSING (128ul << 10)
#define LOOKS 4

/* A mapping of the task, a matching one of its child, and the addresses that both cover. */
struct pair {
	const struct page_view *own, *child;
	struct premap_hull *h;
	uint64_t start, end;
	bool exactly; /* pages of our own parent are present already: where the two differ, the child may have those */
};

/* A range of pages that both have, within one run of each. */
struct common {
	const struct pagemap_run *own, *child; /* NULL: end */
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

/* The next one after @c. */
static bool common_next(const struct pair *pair, struct common *c)
{
	while (!is_past(pair->own->map, c->own) && !is_past(pair->child->map, c->child) && c->end < pair->end) {
		uint64_t start = MAX_OF(c->end, MAX_OF(c->own->vaddr, c->child->vaddr));
		uint64_t end = MIN_OF(pair->end, MIN_OF(pagemap_run_end(c->own), pagemap_run_end(c->child)));

		if (start < end && (c->own->flags & c->child->flags & PAGEMAP_PRESENT)) {
			c->start = start;
			c->end = end;
			return true;
		}
		if (pagemap_run_end(c->own) <= pagemap_run_end(c->child))
			c->own++;
		else
			c->child++;
	}
	return false;
}

static bool is_same_image(const struct pair *pair, const struct common *c)
{
	return premap_same_image(pair->own->map, c->own, pair->child->map, c->child);
}

static bool is_equal(const struct pair *pair, const struct common *c, uint64_t page)
{
	return is_same_image(pair, c) ||
	       page_view_equals(pair->own, c->own, page, page_view_at(pair->child, c->child, page));
}

static uint64_t count_common(const struct pair *pair)
{
	struct common c = common_begin(pair);
	uint64_t n = 0;

	while (common_next(pair, &c))
		n += (c.end - c.start) / PAGE_SZ;
	return n;
}

/* Is any of every @stride-th common page equal? */
static bool any_equal(const struct pair *pair, uint64_t stride)
{
	struct common c = common_begin(pair);
	uint64_t skip = 0, pages;

	for (; common_next(pair, &c); skip -= pages) {
		pages = (c.end - c.start) / PAGE_SZ;
		for (; skip < pages; skip += stride)
			if (is_equal(pair, &c, c.start + skip * PAGE_SZ))
				return true;
	}
	return false;
}

static bool is_noted(const struct pair *pair, uint64_t page)
{
	return premap_bit(pair->h->shared, (page - pair->h->vma->start) / PAGE_SZ);
}

static void note(const struct pair *pair, uint64_t page)
{
	uint64_t i = (page - pair->h->vma->start) / PAGE_SZ;

	pair->h->shared[i / 64] |= BIT(i % 64);
}

/* Judged by a few of them. */
static bool seem_equal(const struct pair *pair, const struct common *c)
{
	uint64_t pages = (c->end - c->start) / PAGE_SZ;

	for (uint64_t i = 0; i < LOOKS; i++)
		if (!is_equal(pair, c, c->start + (pages - 1) * i / (LOOKS - 1) * PAGE_SZ))
			return false;
	return true;
}

/*
 * Pages of one block. Those of the task itself have to be loaded in any case, now or later, and a child compares what
 * it has inherited with its own image (premap_settle.c): if all seem equal, they need not be compared here.
 */
static void compare_block(const struct pair *pair, const struct common *c)
{
	uint64_t page = c->start;
	bool all;

	while (page < c->end && is_noted(pair, page))
		page += PAGE_SZ;
	if (page == c->end)
		return;
	all = is_same_image(pair, c);
	if (!all)
		all = !pair->exactly && c->end - c->start >= WORTH_GUESSING && seem_equal(pair, c);
	if (!all)
		page_view_want(pair->own, c->own, page, c->end - page);
	if (!all)
		page_view_want(pair->child, c->child, page, c->end - page);
	for (; page < c->end; page += PAGE_SZ)
		if (all || (!is_noted(pair, page) && is_equal(pair, c, page)))
			note(pair, page);
}

static void compare_all(const struct pair *pair)
{
	struct common c = common_begin(pair);

	while (common_next(pair, &c)) {
		struct common block = c;

		for (block.start = c.start; block.start < c.end; block.start = block.end) {
			block.end = MIN_OF(c.end, ROUND_DOWN(block.start, HUGE_PAGE_SZ) + HUGE_PAGE_SZ);
			compare_block(pair, &block);
		}
	}
}

static int compare_pair(const struct pair *pair)
{
	struct premap_hull *h = pair->h;
	uint64_t common = count_common(pair);

	if (!common || (common > SAMPLES && !h->shared && !any_equal(pair, common / SAMPLES + 1)))
		return 0;
	if (!h->shared)
		h->shared = calloc((h->vma->end - h->vma->start) / PAGE_SZ / 64 + 1, sizeof(*h->shared));
	if (!h->shared)
		return fail(-ENOMEM, "map of shared pages");
	compare_all(pair);
	return 0;
}

static int found(const struct pair *pair)
{
	return 1;
}

/* Every pair of mappings that overlap and match. @child is NULL as long as no pages are needed to decide. */
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
					     .end = MIN_OF(h->vma->end, v->end),
					     .exactly = premap_find(p, h->vma) };
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

/* All tasks that inherit from this process: those that it forks, and those that its helpers and VM peers fork. */
int premap_compare_children(struct staging *s, const struct restore_task *by)
{
	int err = 0;

	for (struct restore_task *child = by->forks; !err && child; child = child->next_forked)
		err = child->memory ? compare_child(s, child) : premap_compare_children(s, child);
	return err;
}
