/* SPDX-License-Identifier: GPL-2.0-only */
#include "memory/feed.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "memory/block_reader.h"
#include "memory/feed_work.h"
#include "memory/mapped_files.h"
#include "memory/premap.h"
#include "pie/vma.h"
#include "util/log.h"

/* One mapping, and what is to be read into it. */
struct feeding {
	struct restore *r;
	const struct page_source *source;
	const VmaEntry *vma;
	struct premap_area *area;
	struct feed_work *work;
};

static bool is_fed(const struct pagemap_run *run)
{
	return run->flags & PAGEMAP_PRESENT && run->blocks;
}

static bool has_fed_pages(const struct pagemap *map, const VmaEntry *v)
{
	const struct pagemap_run *run = pagemap_find(map, v->start), *last = map->runs + map->nr_runs;

	if (!vma_has_private_pages(v->status) || v->status & (VMA_GUARD | VMA_AIO_RING))
		return false;
	for (; run && run < last && run->vaddr < v->end; run++)
		if (is_fed(run))
			return true;
	return false;
}

/* ---- what there is to read ---- */

static void note_loaded(struct premap_area *a, uint64_t start, uint64_t end)
{
	for (uint64_t i = (start - a->start) / PAGE_SZ; i < (end - a->start) / PAGE_SZ; i++)
		a->loaded[i / 64] |= BIT(i % 64);
}

/* [start, end) of a run, none of it there yet. */
static int add_missing(const struct feeding *f, const struct pagemap_run *run, uint64_t start, uint64_t end)
{
	const struct premap_area *a = f->area;
	struct feed_item item = {
		.read = { .source = f->source, .run = run, .map_start = a->at, .map_end = a->at + (a->end - a->start) }
	};
	uint64_t first = ROUND_UP(start, HUGE_PAGE_SZ), last = ROUND_DOWN(end, HUGE_PAGE_SZ);
	const uint64_t borders[] = { start, first, last, end };
	int err = 0;

	if (first >= last || !vma_may_be_huge(f->vma)) {
		item.read.addr = start;
		item.read.len = end - start;
		item.read.to = (char *)(uintptr_t)(a->at + (start - a->start));
		return feed_work_add(f->work, &item);
	}
	for (size_t i = 0; !err && i < 3; i++) {
		item.huge = i == 1;
		item.read.addr = borders[i];
		item.read.len = borders[i + 1] - borders[i];
		item.read.to = (char *)(uintptr_t)(a->at + (borders[i] - a->start));
		if (item.read.len)
			err = feed_work_add(f->work, &item);
	}
	return err;
}

/* Between pages that are there already: those that came by fork. */
static int add_range(const struct feeding *f, const struct pagemap_run *run, uint64_t at, uint64_t end)
{
	const struct premap_area *a = f->area;
	int err = 0;

	while (!err && at < end) {
		uint64_t start = at;

		while (at < end && !premap_bit(a->loaded, (at - a->start) / PAGE_SZ))
			at += PAGE_SZ;
		if (at > start)
			err = add_missing(f, run, start, at);
		while (at < end && premap_bit(a->loaded, (at - a->start) / PAGE_SZ))
			at += PAGE_SZ;
	}
	return err;
}

/* Where nothing shows through, zeros need not be read. */
static int add_run(const struct feeding *f, const struct pagemap_run *run)
{
	uint64_t at = MAX_OF(run->vaddr, f->vma->start), end = MIN_OF(pagemap_run_end(run), f->vma->end);
	int err = 0;

	while (!err && at < end) {
		bool zero;
		uint64_t stop = block_stretch(run, at, end, &zero);

		if (!zero || !(f->vma->status & VMA_ANON_PRIVATE))
			err = add_range(f, run, at, stop);
		at = stop;
	}
	return err;
}

/* The bits are set when all of it is in the list: its ranges must not be divided by them. */
static int add_vma(struct feeding *f)
{
	const struct pagemap *map = f->source->map;
	const struct pagemap_run *from = pagemap_find(map, f->vma->start), *last = map->runs + map->nr_runs;
	int err = 0;

	for (const struct pagemap_run *run = from; !err && run && run < last && run->vaddr < f->vma->end; run++)
		if (is_fed(run))
			err = add_run(f, run);
	for (const struct pagemap_run *run = from; !err && run && run < last && run->vaddr < f->vma->end; run++)
		if (is_fed(run))
			note_loaded(f->area, MAX_OF(run->vaddr, f->vma->start),
				    MIN_OF(pagemap_run_end(run), f->vma->end));
	return err ? fail(err, "list of compressed pages") : 0;
}

/* ---- where it is read to ---- */

/* The plan of this process, with a hull for each mapping that has fed pages. */
static struct premap *own_plan(struct restore *r, const struct restore_task *rt, const struct pagemap *map)
{
	const struct premap *was = r->process.premap;
	struct premap *p = calloc(1, sizeof(*p));
	size_t next = 0;

	if (!p)
		return NULL;
	if (was)
		*p = *was;
	p->nr_hulls = 0;
	p->hulls = calloc(rt->mm->n_vmas, sizeof(*p->hulls));
	for (size_t i = 0; p->hulls && i < rt->mm->n_vmas; i++) {
		const VmaEntry *v = rt->mm->vmas[i];

		if (was && next < was->nr_hulls && was->hulls[next].vma == v)
			p->hulls[p->nr_hulls++] = was->hulls[next++];
		else if (has_fed_pages(map, v))
			p->hulls[p->nr_hulls++] = (struct premap_hull){ .vma = v, .start = v->start, .end = v->end };
	}
	return p->hulls ? p : NULL;
}

/* An area of its own: nothing is inherited through it. */
static int make_area(struct restore *r, struct premap *p, const VmaEntry *v)
{
	struct premap_hull alone = { .vma = v, .start = v->start, .end = v->end };
	int fd = -1, err = 0;

	if (premap_find(p, v))
		return 0;
	if (v->status & VMA_FILE_PRIVATE)
		err = mapped_file(r, v, &fd);
	if (!err)
		err = premap_area_new(r, p, &alone, fd);
	return err == -EAGAIN ? fail(-ENOMEM, "no place for the pages of %lx-%lx", v->start, v->end) : err;
}

static int make_areas(struct restore *r, struct premap *p, const struct pagemap *map)
{
	int err = 0;

	for (size_t i = 0; !err && i < p->nr_hulls; i++)
		if (has_fed_pages(map, p->hulls[i].vma))
			err = make_area(r, p, p->hulls[i].vma);
	/* Adding areas has moved them. */
	for (size_t i = 0; !err && i < p->nr_hulls; i++)
		if (p->hulls[i].area || has_fed_pages(map, p->hulls[i].vma))
			p->hulls[i].area = premap_find(p, p->hulls[i].vma);
	return err;
}

static int list_work(struct restore *r, struct premap *p, const struct page_source *source, struct feed_work *work)
{
	int err = 0;

	for (size_t i = 0; !err && i < p->nr_hulls; i++) {
		struct feeding f = {
			.r = r, .source = source, .vma = p->hulls[i].vma, .area = p->hulls[i].area, .work = work
		};

		if (has_fed_pages(source->map, f.vma))
			err = add_vma(&f);
	}
	return err;
}

int memory_feed(struct restore *r, struct restore_task *rt, const struct page_source *source)
{
	struct feed_work work = { .r = r, .rt = rt, .huge = HUGE_BLOCKS_CLOSED };
	struct premap *p;
	int err;

	if (!source->map->has_blocks)
		return 0;
	p = own_plan(r, rt, source->map);
	if (!p)
		return fail(-ENOMEM, "compressed pages");
	r->process.premap = p;
	err = make_areas(r, p, source->map);
	if (!err)
		err = list_work(r, p, source, &work);
	if (!err)
		err = feed_work_run(&work);
	feed_work_free(&work);
	return err;
}
