/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Pages that a process shares copy-on-write with the one that forked it: images have them for both, so that CRIU can read
 * them, and the page map of the child has a hint that they are the same. A restore need not compare them (premap.h).
 *
 * Both are frozen, but the kernel may move a page, and use its frame for another one (see same_pages.c): the maker's frame
 * counts only if it is the same before and after the child's was read.
 *
 * To look takes the kernel about 0.1 us per page and process, however many are asked for at once: so it is done after the tree
 * has been resumed, if that has copies (snapshot.h). A copy has the frames of its origin, and keeps them: it never writes, and
 * the origin gets another frame when it does.
 *
 * It is only a hint: whatever goes wrong, there are fewer of them, and no error.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/bits.h"
#include "memory/dump_memory.h"
#include "memory/memory.h"
#include "memory/snapshot.h"
#include "memory/tracking.h"
#include "util/log.h"

/* Comparing less costs a restore less than looking costs the dump. */
#define WORTH_LOOKING (1ul << 20)
/* More entries in a page map cost a restore more than they save. */
#define WORTH_AN_ENTRY (128ul << 10)
#define PAGES_AT_ONCE 4096ul

/* So many children are compared with their maker at once: the maker is read twice, however many they are. */
#define SIBLINGS 32

struct sibling {
	struct dump_task *dt;
	struct page_scan scan;
	uint64_t *entries; /* of the current part: those from @first to before @end are read */
	uint64_t first, end;
};

struct hinting {
	struct dump *dump;
	bool of_copies;
	struct dump_task *maker; /* of all siblings: whose memory they got */
	struct sibling siblings[SIBLINGS];
	size_t nr_siblings;
	struct page_scan scan; /* of the maker */
	uint64_t *before,
		*after; /* its entries of the current part, read before the children's and after them; NULL: no room yet */
	uint64_t pages; /* that have a hint */
	bool blind; /* the kernel does not show us frames */
	int stopped; /* -EINTR, by the user */
};

/* Those that the maker has from its own maker belong to that one. */
static int add_hint(struct hinting *h, const struct sibling *s, uint64_t start, uint64_t end)
{
	const struct same_runs *of_maker = &h->maker->memory->same;
	size_t i = memory_same_at(of_maker, start);
	int err = 0;

	if (end < start + WORTH_AN_ENTRY)
		return 0;
	h->pages += (end - start) / PAGE_SZ;
	for (struct same_run run = { .start = start }; !err && run.start < end; run.start = run.end) {
		const struct same_run *next = i < of_maker->n ? &of_maker->v[i] : NULL;

		run.process = (uint32_t)h->maker->t.pid;
		run.end = next ? MIN_OF(next->start, end) : end;
		if (next && next->start <= run.start) {
			run.process = next->process;
			run.end = MIN_OF(next->end, end);
			i++;
		}
		err = memory_add_same(&s->dt->memory->same, &run);
	}
	return err;
}

static bool is_same(const struct hinting *h, const struct sibling *s, uint64_t i)
{
	const uint64_t frame = pm_shared_frame(s->entries[i]);

	return frame && pm_shared_frame(h->before[i]) == frame && pm_shared_frame(h->after[i]) == frame;
}

/* The part is from @start on. */
static int hint_sibling(struct hinting *h, const struct sibling *s, uint64_t start)
{
	uint64_t first = s->first;
	int err = 0;

	for (uint64_t i = first; !err && i <= s->end; i++) {
		if (i < s->end && is_same(h, s, i))
			continue;
		err = add_hint(h, s, start + first * PAGE_SZ, start + i * PAGE_SZ);
		first = i + 1;
	}
	return err;
}

/* Pages from @first to before @end of the part from @start on. */
static int read_entries(const struct page_scan *scan, uint64_t start, uint64_t first, uint64_t end, uint64_t *entries)
{
	return page_scan_entries(scan, start + first * PAGE_SZ, end - first, entries + first);
}

/* Has the maker enough pages in a row that others have, too? */
static bool shares_enough(struct hinting *h, uint64_t first, uint64_t end)
{
	uint64_t row = 0;

	for (uint64_t i = first; i < end; i++) {
		row = pm_shared_frame(h->before[i]) ? row + 1 : 0;
		h->blind |= !row && pm_is_shared(h->before[i]);
		if (row == WORTH_AN_ENTRY / PAGE_SZ)
			return true;
	}
	return false;
}

static int read_siblings(struct hinting *h, uint64_t start)
{
	int err = 0;

	for (size_t i = 0; !err && i < h->nr_siblings; i++) {
		struct sibling *s = &h->siblings[i];

		if (s->first < s->end)
			err = read_entries(&s->scan, start, s->first, s->end, s->entries);
	}
	return err;
}

static size_t region_at(const struct page_regions *all, uint64_t addr)
{
	size_t low = 0, high = all->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (all->v[middle].end <= addr)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool has_pages(const struct dump_task *dt, uint64_t start, uint64_t end)
{
	const struct page_regions *all = &dt->memory->pages;
	size_t i = region_at(all, start);

	return i < all->n && all->v[i].start < end;
}

/* What is unchanged has no hints: the older dump has it (classify_pages.c). */
static bool may_have_hints(const struct dump_task *dt, const struct page_region *r)
{
	const struct task_track *track = dt->memory->track;

	return !track || !track->parent || (!(r->categories & PAGES_UNCHANGED) && r->end - r->start >= WORTH_AN_ENTRY);
}

/* Which pages of a part, from the first to the last one that may have hints, to read: none if first == end. */
static void choose_pages(struct sibling *s, uint64_t start, uint64_t end)
{
	const struct page_regions *all = &s->dt->memory->pages;

	s->first = s->end = 0;
	for (size_t i = region_at(all, start); i < all->n && all->v[i].start < end; i++) {
		const struct page_region *r = &all->v[i];

		if (!may_have_hints(s->dt, r))
			continue;
		if (s->first == s->end)
			s->first = (MAX_OF(r->start, start) - start) / PAGE_SZ;
		s->end = (MIN_OF(r->end, end) - start) / PAGE_SZ;
	}
}

/* At most PAGES_AT_ONCE. */
static int hint_part(struct hinting *h, uint64_t start, uint64_t end)
{
	uint64_t first = PAGES_AT_ONCE, stop = 0;
	int err;

	for (size_t i = 0; i < h->nr_siblings; i++) {
		const struct sibling *s = &h->siblings[i];

		choose_pages(&h->siblings[i], start, end);
		if (s->first < s->end) {
			first = MIN_OF(first, s->first);
			stop = MAX_OF(stop, s->end);
		}
	}
	if (first >= stop)
		return 0;
	err = read_entries(&h->scan, start, first, stop, h->before);
	if (err || !shares_enough(h, first, stop))
		return err;
	err = read_siblings(h, start);
	if (!err)
		err = read_entries(&h->scan, start, first, stop, h->after);
	for (size_t i = 0; !err && i < h->nr_siblings; i++)
		if (h->siblings[i].first < h->siblings[i].end)
			err = hint_sibling(h, &h->siblings[i], start);
	return err;
}

/* Does the mapping share pages at all, if they have been counted? Those of the flags before *@next end before it. */
static bool shares_some(const VmaEntry *vma, const struct vma_flags_array *flags, size_t *next)
{
	while (*next < flags->n && flags->v[*next].end <= vma->start)
		(*next)++;
	return *next == flags->n || !flags->v[*next].rss_kb || flags->v[*next].pss_kb != flags->v[*next].rss_kb;
}

/* Between two parts. */
static bool may_continue(struct hinting *h)
{
	if (h->dump->between_pages)
		h->dump->between_pages(h->dump);
	if (!h->stopped && h->dump->interrupted)
		h->stopped = h->dump->interrupted(h->dump);
	return !h->stopped && !h->blind;
}

/* Of the maker's mapping; regions before *@next end before it. */
static int hint_mapping(struct hinting *h, const VmaEntry *vma, size_t *next)
{
	const struct page_regions *all = &h->maker->memory->pages;
	int err = 0;

	while (*next < all->n && all->v[*next].end <= vma->start)
		(*next)++;
	for (size_t i = *next; !err && i < all->n && all->v[i].start < vma->end; i++) {
		uint64_t start = MAX_OF(all->v[i].start, vma->start), end = MIN_OF(all->v[i].end, vma->end), stop;

		for (; !err && start + WORTH_AN_ENTRY <= end && may_continue(h); start = stop) {
			stop = MIN_OF(end, ROUND_DOWN(start, PAGES_AT_ONCE * PAGE_SZ) + PAGES_AT_ONCE * PAGE_SZ);
			err = hint_part(h, start, stop);
		}
	}
	return err;
}

static int hint_mappings(struct hinting *h)
{
	const MmEntry *mm = h->maker->mm;
	size_t flags = 0, region = 0;
	int err = 0;

	for (size_t i = 0; !err && !h->stopped && !h->blind && i < mm->n_vmas; i++) {
		const VmaEntry *v = mm->vmas[i];

		if (v->end - v->start >= WORTH_LOOKING && memory_vma_has_plain_pages(v) &&
		    shares_some(v, &h->maker->vma_flags, &flags))
			err = hint_mapping(h, v, &region);
	}
	return err;
}

/* ---- who is compared ---- */

static int open_pages(const struct hinting *h, const struct dump_task *dt, struct page_scan *ret_scan)
{
	_cleanup_proc_ struct proc copy = PROC_CLOSED;
	int err = h->of_copies ? proc_open(dt->memory->snapshot->pid, &copy) : 0;

	return err ?: page_scan_open(h->of_copies ? &copy : &dt->proc, ret_scan);
}

static int open_all(struct hinting *h)
{
	int err = open_pages(h, h->maker, &h->scan);

	if (!err && !h->before) {
		h->before = malloc((2 + SIBLINGS) * PAGES_AT_ONCE * sizeof(*h->before));
		h->after = h->before + PAGES_AT_ONCE;
		err = h->before ? 0 : -ENOMEM;
	}
	for (size_t i = 0; !err && i < h->nr_siblings; i++) {
		h->siblings[i].entries = h->before + (2 + i) * PAGES_AT_ONCE;
		err = open_pages(h, h->siblings[i].dt, &h->siblings[i].scan);
	}
	return err;
}

/* Those that have been collected. */
static void hint_siblings(struct hinting *h)
{
	int err = 0;

	if (h->nr_siblings && !h->blind && !h->stopped) {
		err = open_all(h);
		if (!err)
			err = hint_mappings(h);
	}
	if (err)
		log_debug("children of process %d: not known which pages they share: %s", h->maker->t.host_pid,
			  strerror(-err));
	for (size_t i = 0; i < h->nr_siblings; i++)
		page_scan_close(&h->siblings[i].scan);
	page_scan_close(&h->scan);
	h->nr_siblings = 0;
}

/* The process that forked it; if that has no memory of its own, the one whose memory it shares. */
static struct dump_task *maker_of(const struct dump_task *dt)
{
	for (struct task *t = dt->t.parent; t; t = t->parent)
		if (dump_task_of(t)->mm)
			return dump_task_of(t);
	return NULL;
}

/* Has it so many pages in a row that may be the maker's? Most processes of large trees have not. */
static bool is_worth_it(const struct dump_task *dt, const struct dump_task *maker)
{
	const struct page_regions *all = &dt->memory->pages;

	for (size_t i = 0; i < all->n; i++)
		if (all->v[i].end - all->v[i].start >= WORTH_LOOKING && may_have_hints(dt, &all->v[i]) &&
		    has_pages(maker, all->v[i].start, all->v[i].end))
			return true;
	return false;
}

static bool is_seen(const struct hinting *h, const struct dump_task *dt)
{
	return dt && dt->mm && !dt->memory->snapshot == !h->of_copies;
}

int memory_hint_same(struct dump *dump, bool of_copies)
{
	struct hinting h = { .dump = dump, .of_copies = of_copies, .scan = PAGE_SCAN_CLOSED };
	struct dump_task *dt;

	/* Neither the protocol nor a restore of lazy pages has a use for hints. */
	if (dump->tree.nr_tasks < 2 || dump->opts->share_pages || dump->opts->page_server || dump->opts->lazy_pages)
		return 0;
	/* Parents come before their children: what a maker got from its own maker is known by then. */
	dump_for_each_task(dt, dump) {
		struct dump_task *maker = is_seen(&h, dt) ? maker_of(dt) : NULL;

		if (dt->memory)
			dt->memory->same_is_hint = true;
		if (!is_seen(&h, maker) || !is_worth_it(dt, maker))
			continue;
		if (h.nr_siblings == SIBLINGS || h.maker != maker)
			hint_siblings(&h);
		h.maker = maker;
		h.siblings[h.nr_siblings++] = (struct sibling){ .dt = dt, .scan = PAGE_SCAN_CLOSED };
	}
	hint_siblings(&h);
	if (h.pages)
		log_debug("%lu pages are shared with the processes that forked theirs", h.pages);
	free(h.before);
	return h.stopped;
}
