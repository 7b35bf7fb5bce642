/* SPDX-License-Identifier: GPL-2.0-only */
/* Scans the page tables of an address space: its own pages, which of them are unchanged, and guard markers. */
#include <errno.h>
#include <string.h>
#include "kernel/device.h"
#include "kernel/pagemap_scan.h"
#include "kernel/shm.h"
#include "memory/dump_memory.h"
#include "memory/tracking.h"
#include "util/log.h"

/* Splitting the scan costs more than it saves on less. */
#define WORTH_ASKING_LESS (2ul << 20)

struct looking {
	const struct mountinfo *mounts;
	uint32_t last_dev; /* the last device looked up */
	bool last_is_tmpfs;
};

static bool is_tmpfs(struct looking *l, const struct kernel_vma *v)
{
	uint32_t dev = kdev_make(v->dev_major, v->dev_minor);

	/* File systems without a device have the major number 0. */
	if (v->dev_major)
		return false;
	if (v->deleted && shm_sort_by_name(v->name, strlen(v->name)) != SHM_NONE)
		return true;
	if (dev == l->last_dev)
		return l->last_is_tmpfs;
	l->last_dev = dev;
	l->last_is_tmpfs = false;
	for (size_t i = 0; i < l->mounts->n; i++)
		if (kdev_make(l->mounts->v[i].dev_major, l->mounts->v[i].dev_minor) == dev)
			l->last_is_tmpfs = !strcmp(l->mounts->v[i].fstype, "tmpfs");
	return l->last_is_tmpfs;
}

/* Categories that cannot be the mapping's own pages. */
static uint64_t never_own(struct looking *l, const struct kernel_vma *v)
{
	bool is_file = v->ino || v->dev_major || v->dev_minor;

	/* For pages of files the kernel checks every page itself, not only the tables: four times the work. */
	if (!is_file && !v->shared && v->end - v->start >= WORTH_ASKING_LESS)
		return PAGE_PFNZERO;
	/* A zero page hides the content behind the mapping, if one has been placed there (UFFDIO_ZEROPAGE). */
	if (is_file && !v->shared && is_tmpfs(l, v))
		return PAGE_FILE;
	return PAGE_PFNZERO | PAGE_FILE;
}

/* Which pages are huge ones must be seen here where smaps has not been read. */
static bool sees_huge(const struct dump_task *dt, const struct page_scan *scan)
{
	return dt->vma_flags.n && dt->vma_flags.v[0].not_counted && scan->has_scan;
}

static int add_found(struct dump_task *dt, struct page_regions *all, uint64_t unchanged_without)
{
	int err = 0;

	for (size_t i = 0; !err && i < all->n; i++) {
		const uint64_t found = all->v[i].categories;
		const bool guard = found & PAGE_GUARD;

		all->v[i].categories = found & PAGE_HUGE;
		all->v[i].categories |= unchanged_without && !(found & unchanged_without) ? PAGES_UNCHANGED : 0;
		err = array_add(guard ? &dt->memory->guards : &dt->memory->pages, all->v[i]);
	}
	array_free(all);
	return err;
}

/* Mappings of the same sort, with what is between them. */
struct range {
	uint64_t start, end;
	uint64_t never; /* see never_own() */
	enum track_area area;
};

static int scan_range(struct dump_task *dt, const struct page_scan *scan, const struct range *r, uint64_t written)
{
	const struct page_want want = {
		.all = r->never,
		.inverted = r->never,
		.any = PAGE_PRESENT | PAGE_SWAPPED | PAGE_GUARD,
		.report = PAGE_GUARD | written | (dt->memory->huge_seen ? PAGE_HUGE : 0),
	};
	struct page_regions all = { 0 };
	int err = page_scan_range(scan, r->start, r->end, &want, &all);

	if (!err)
		return add_found(dt, &all, r->area == AREA_TRACKED ? written : 0);
	array_free(&all);
	return err;
}

/* The guards, which must not be armed. */
static int scan_guards(struct dump_task *dt, const struct page_scan *scan, const struct range *r)
{
	const struct page_want want = { .any = PAGE_GUARD, .report = PAGE_GUARD };
	struct page_regions all = { 0 };
	int err = scan->known & PAGE_GUARD ? page_scan_range(scan, r->start, r->end, &want, &all) : 0;

	if (!err)
		return add_found(dt, &all, 0);
	array_free(&all);
	return err;
}

/*
 * Arms what it finds. -EPERM: the range is not tracked after all, and a part of it may be armed, which nobody will know: nothing
 * was added.
 */
static int scan_and_arm(struct dump_task *dt, const struct page_scan *scan, const struct range *r, uint64_t written)
{
	const struct page_want want = {
		.all = r->never | PAGE_GUARD,
		.inverted = r->never | PAGE_GUARD,
		.any = PAGE_PRESENT | PAGE_SWAPPED,
		.report = written | (dt->memory->huge_seen ? PAGE_HUGE : 0),
		.protect = true,
	};
	struct page_regions all = { 0 };
	int err = page_scan_range(scan, r->start, r->end, &want, &all);

	if (!err)
		err = add_found(dt, &all, r->area == AREA_TRACKED ? written : 0);
	array_free(&all);
	return err ? err : scan_guards(dt, scan, r);
}

struct scanning {
	struct looking looking;
	struct page_scan scan;
	uint64_t written; /* category; 0: nothing is tracked */
	bool arms;
};

/*
 * May mapping @at be scanned together with the one before? What is between them is empty, and costs nothing to scan; but to
 * read it (kernels before 6.7) costs 8 bytes a page, and there can be terabytes of it.
 */
static bool continues(const struct scanning *s, const struct dump_task *dt, size_t at)
{
	const struct kernel_vma *v = dt->maps.v;

	return at < dt->maps.n && v[at].end < 1ull << 63 && (s->scan.has_scan || v[at].start == v[at - 1].end);
}

/* The next range, from mapping *@at on, which is advanced; *@at is unchanged if there is none. */
static struct range next_range(struct scanning *s, const struct dump_task *dt, size_t *at)
{
	const struct kernel_vma *v = dt->maps.v;
	struct range r = { .start = v[*at].start, .never = never_own(&s->looking, &v[*at]) };

	r.area = track_area_of(dt, *at);
	do
		r.end = v[(*at)++].end;
	while (continues(s, dt, *at) && never_own(&s->looking, &v[*at]) == r.never && track_area_of(dt, *at) == r.area);
	return r;
}

static int scan_next(struct scanning *s, struct dump_task *dt, size_t *at)
{
	const size_t first = *at;
	struct range r = next_range(s, dt, at);
	int err = -EPERM;

	if (r.area != AREA_UNTRACKED && s->arms)
		err = scan_and_arm(dt, &s->scan, &r, s->written);
	else
		return scan_range(dt, &s->scan, &r, r.area == AREA_TRACKED ? s->written : 0);
	if (err != -EPERM)
		return err;
	log_debug("%lx-%lx is not tracked", r.start, r.end);
	memset(dt->memory->track->areas + first, AREA_UNTRACKED, *at - first);
	r.area = AREA_UNTRACKED;
	return scan_range(dt, &s->scan, &r, 0);
}

static int arm_all(struct dump *dump, struct dump_task *dt)
{
	const struct tracking *t = dump->memory->tracking;

	return dt->memory->track && t->arms && t->backend->arm && !dt->memory->track->must_not_arm ?
		       t->backend->arm(dump, dt) :
		       0;
}

int memory_scan_pages(struct dump *dump, struct dump_task *dt)
{
	const struct tracking *t = dump->memory->tracking;
	struct scanning s = {
		.looking.mounts = &dump->mounts,
		.scan = PAGE_SCAN_CLOSED,
		.written = dt->memory->track && t->backend ? t->backend->written : 0,
	};
	int err = page_scan_open(&dt->proc, &s.scan);

	dt->memory->huge_seen = !err && sees_huge(dt, &s.scan);
	s.arms = dt->memory->track && t->arms && t->backend->arms_by_scan && !dt->memory->track->must_not_arm;
	/* Neighbours of the same sort are scanned together. */
	for (size_t i = 0; !err && i < dt->maps.n;) {
		if (dt->maps.v[i].end < 1ull << 63)
			err = scan_next(&s, dt, &i);
		else
			i++;
	}
	page_scan_close(&s.scan);
	return err < 0 ? fail(err, "read the page map") : arm_all(dump, dt);
}
