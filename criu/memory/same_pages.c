/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Pages that processes share copy-on-write, found by their frame numbers (proc_pid_pagemap(5)): each belongs to the first
 * process that has it at that address; the others refer to it.
 *
 * The kernel may move a page at any time (compaction, swap), and use its frame for another one: one look at each process
 * could take two pages for the same. So all of them are read, and then all of them again: only a page that is in the same
 * frame both times, before and after the other process's page was there, counts.
 */
#include <errno.h>
#include <stdlib.h>
#include "base/bits.h"
#include "memory/dump_memory.h"
#include "memory/memory.h"
#include "pie/vma.h"
#include "util/hash.h"
#include "util/log.h"

#define ENTRIES_AT_ONCE 4096
#define AHEAD_MIN 64ul

/* A page that may be shared. */
struct frame {
	uint64_t page; /* its address, and OF_FILE */
	uint64_t number; /* 0: it was moved */
};
#define OF_FILE 1ul /* where it is zeros, it has an entry in the images all the same */
ARRAY_OF(frames, struct frame);

/* Pages of one process, sorted. */
struct look {
	struct dump_task *dt;
	struct page_scan scan;
	struct frames frames;
};
ARRAY_OF(looks, struct look);

struct search {
	struct dump *dump;
	struct looks looks;
	uint64_t *entries; /* of one page map, ENTRIES_AT_ONCE: */
	uint64_t start, end; /* those of these pages, in one look at one process */
	uint64_t ahead; /* so many were to be read */
	uint64_t unreadable; /* pages that are shared, whose frame is not shown */
};

/* The page map of a process anew. */
static void begin_window(struct search *s)
{
	s->start = s->end = 0;
	s->ahead = AHEAD_MIN;
}

/*
 * Reads entries from @addr on. Ranges are often of one page: one call is for all that are near. So that few are read in
 * vain where they are far apart, it is few entries at first, and more if they follow each other.
 */
static int read_entries(struct search *s, const struct look *l, uint64_t addr, uint64_t limit)
{
	bool near = s->end && addr >= s->end && addr - s->end < s->ahead * PAGE_SZ;
	uint64_t n;
	int err;

	s->ahead = near ? MIN_OF(s->ahead * 4, (uint64_t)ENTRIES_AT_ONCE) : AHEAD_MIN;
	n = MIN_OF((limit - addr) / PAGE_SZ, s->ahead);
	s->start = s->end = 0;
	err = page_scan_entries(&l->scan, addr, n, s->entries);
	if (err < 0)
		return fail(err, "read the page map of process %d", l->dt->t.host_pid);
	s->start = addr;
	s->end = addr + n * PAGE_SZ;
	return 0;
}

/* That of the page at @addr. Pages up to @limit may be asked for next. */
static int entry_at(struct search *s, const struct look *l, uint64_t addr, uint64_t limit, uint64_t *ret_entry)
{
	int err = addr >= s->start && addr < s->end ? 0 : read_entries(s, l, addr, limit);

	if (!err)
		*ret_entry = s->entries[(addr - s->start) / PAGE_SZ];
	return err;
}

/* ---- the first look ---- */

/* A part of @vma. */
static int look_at_range(struct search *s, struct look *l, const VmaEntry *vma, uint64_t start, uint64_t end)
{
	uint64_t kind = vma->status & VMA_FILE_PRIVATE ? OF_FILE : 0, entry;

	for (uint64_t at = start; at < end; at += PAGE_SZ) {
		int err = entry_at(s, l, at, vma->end, &entry);
		struct frame f = { at | kind, err ? 0 : pm_shared_frame(entry) };

		if (err)
			return err;
		if (f.number && array_add(&l->frames, f))
			return -ENOMEM;
		s->unreadable += !f.number && pm_is_shared(entry);
	}
	return 0;
}

static int look_at_run(struct search *s, struct look *l, const VmaEntry *vma, const struct page_run *run)
{
	if (run->outcome != PAGES_WRITE || !memory_vma_has_plain_pages(vma))
		return 0;
	return look_at_range(s, l, vma, run->start, run->end);
}

struct visit {
	struct search *s;
	struct look *l;
};

static int visit_run(void *arg, const VmaEntry *vma, const struct page_run *run)
{
	const struct visit *v = arg;

	return look_at_run(v->s, v->l, vma, run);
}

static int look_at_task(struct search *s, struct dump_task *dt)
{
	struct look l = { .dt = dt, .scan = PAGE_SCAN_CLOSED };
	struct visit v = { s, &l };
	int err = page_scan_open(&dt->proc, &l.scan);

	if (err < 0)
		return fail(err, "open the page map of process %d", dt->t.host_pid);
	begin_window(s);
	err = memory_classify_pages(dt, dt->mm, visit_run, &v);
	if (!err && array_add(&s->looks, l))
		err = -ENOMEM;
	if (err) {
		array_free(&l.frames);
		page_scan_close(&l.scan);
	}
	return err;
}

static int look_at_all(struct search *s)
{
	struct dump_task *dt;
	int err = 0;

	dump_for_each_task(dt, s->dump)
		if (!err && dt->mm)
			err = look_at_task(s, dt);
	return err;
}

/* ---- the second look ---- */

static int look_again(struct search *s, struct look *l)
{
	uint64_t limit = l->frames.n ? ROUND_DOWN(l->frames.v[l->frames.n - 1].page, PAGE_SZ) + PAGE_SZ : 0, entry;
	int err = 0;

	begin_window(s);
	for (size_t i = 0; !err && i < l->frames.n; i++) {
		struct frame *f = &l->frames.v[i];

		err = entry_at(s, l, ROUND_DOWN(f->page, PAGE_SZ), limit, &entry);
		if (!err && pm_shared_frame(entry) != f->number)
			f->number = 0;
	}
	return err;
}

/* ---- who has the same ---- */

/* A value of the table: the number of a look, and of one of its frames. */
#define OWNER_SHIFT 40

/* @seen: the owner of each page, by address and frame: if two pages have the same key, only the first one is known. */
static int match(struct search *s, struct hash *seen, size_t at)
{
	struct look *l = &s->looks.v[at];

	for (size_t i = 0; i < l->frames.n; i++) {
		const struct frame *f = &l->frames.v[i], *first;
		const struct look *owner;
		struct same_run run;
		uint64_t *slot;
		bool fresh;
		int err;

		if (!f->number)
			continue;
		slot = hash_slot_of(seen, hash_mix(hash_mix(f->page) ^ f->number), &fresh);
		if (!slot)
			return -ENOMEM;
		if (fresh) {
			*slot = (uint64_t)at << OWNER_SHIFT | i;
			continue;
		}
		owner = &s->looks.v[*slot >> OWNER_SHIFT];
		first = &owner->frames.v[*slot & (BIT(OWNER_SHIFT) - 1)];
		if (first->page != f->page || first->number != f->number || owner == l)
			continue;
		run.start = ROUND_DOWN(f->page, PAGE_SZ);
		run.end = run.start + PAGE_SZ;
		run.process = (uint32_t)owner->dt->t.pid;
		err = memory_add_same(&l->dt->memory->same, &run);
		if (err)
			return err;
	}
	return 0;
}

static int match_all(struct search *s)
{
	_cleanup_hash_ struct hash seen = { 0 };
	int err = 0;

	for (size_t i = 0; !err && i < s->looks.n; i++)
		err = match(s, &seen, i);
	return err;
}

static void search_free(struct search *s)
{
	for (size_t i = 0; i < s->looks.n; i++) {
		page_scan_close(&s->looks.v[i].scan);
		array_free(&s->looks.v[i].frames);
	}
	array_free(&s->looks);
	free(s->entries);
}

static int find_same(struct search *s)
{
	int err;

	s->entries = malloc(ENTRIES_AT_ONCE * sizeof(*s->entries));
	err = s->entries ? look_at_all(s) : -ENOMEM;
	for (size_t i = 0; !err && i < s->looks.n; i++)
		err = look_again(s, &s->looks.v[i]);
	return err ?: match_all(s);
}

static void forget_same(struct dump *dump)
{
	struct dump_task *dt;

	dump_for_each_task(dt, dump)
		if (dt->memory)
			array_free(&dt->memory->same);
}

int memory_find_same(struct dump *dump)
{
	struct search s = { .dump = dump };
	int err;

	if (dump->tree.nr_tasks < 2 || !dump->opts->share_pages)
		return 0;
	err = find_same(&s);
	/* The images are right without it, only larger. */
	if (err == -ENOMEM) {
		forget_same(dump);
		log_warn("--share-pages: out of memory: pages that are shared are written for each process");
		err = 0;
	} else if (!err && s.unreadable) {
		log_warn(
			"--share-pages: %lu pages are shared, but it cannot be seen with which process without CAP_SYS_ADMIN in the initial user namespace: they are written for each",
			s.unreadable);
	}
	search_free(&s);
	return err;
}
