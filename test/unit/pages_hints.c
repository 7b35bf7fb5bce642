/* SPDX-License-Identifier: GPL-2.0-only */
/* Hints which pages a process shares with the one that forked it, from made-up page tables. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/bits.h"
#include "image_helper.h"
#include "memory/dump_memory.h"
#include "memory/memory.h"
#include "memory/snapshot.h"
#include "memory/tracking.h"
#include "pie/vma.h"

#define PAGE(n) ((uint64_t)(n)*PAGE_SZ)
/* A root, its child, and that one's, which are in this order; and more children of the root. */
enum { ROOT, CHILD, GRANDCHILD, TASKS = 14, PAGES = 10000, COPY = 100 };

static uint64_t table[TASKS][PAGES];
static unsigned reads, opened;
static uint64_t pages_read;
static int change_after; /* so many reads, a page of the root is elsewhere */
static long allocations_left; /* the one after them fails, once; -1: none */
static bool failed;

void *reallocarray(void *p, size_t n, size_t size)
{
	if (allocations_left >= 0 && !allocations_left--) {
		failed = true;
		errno = ENOMEM;
		return NULL;
	}
	return realloc(p, n * size);
}

/* Copies: processes whose number is COPY more. */
int proc_open(pid_t pid, struct proc *ret_p)
{
	*ret_p = (struct proc){ .dir = pid - COPY };
	return pid < COPY ? -ESRCH : 0;
}

void proc_close(struct proc *p)
{
}

int page_scan_open(const struct proc *p, struct page_scan *ret_pm)
{
	*ret_pm = (struct page_scan){ .fd = p->dir };
	opened++;
	return 0;
}

void page_scan_close(struct page_scan *pm)
{
	opened -= pm->fd >= 0;
	*pm = PAGE_SCAN_CLOSED;
}

int page_scan_entries(const struct page_scan *pm, uint64_t start, size_t pages, uint64_t *ret_v)
{
	if (!pages || start / PAGE_SZ + pages > PAGES || pm->fd < 0)
		return -EIO;
	memcpy(ret_v, &table[pm->fd][start / PAGE_SZ], pages * sizeof(*ret_v));
	pages_read += pages;
	if (++reads == (unsigned)change_after)
		table[ROOT][50]++;
	return 0;
}

int page_scan_range(const struct page_scan *pm, uint64_t start, uint64_t end, const struct page_want *want,
		    struct page_regions *to)
{
	return -EIO;
}

static struct process {
	struct dump_task dt;
	struct memory_task task;
	struct vma_flags flags;
	struct snapshot copy;
	VmaEntry entry, *list[1];
	MmEntry mm;
} processes[TASKS];
static struct dump dump;
static struct options opts;

/* All of them have @pages pages, and share them. */
static void begin(uint64_t pages)
{
	memset(&dump, 0, sizeof(dump));
	memset(processes, 0, sizeof(processes));
	memset(table, 0, sizeof(table));
	dump.opts = &opts;
	list_init(&dump.tree.tasks);
	dump.tree.nr_tasks = TASKS;
	reads = opened = 0;
	pages_read = 0;
	change_after = 0;
	allocations_left = -1;
	for (int i = 0; i < TASKS; i++) {
		struct process *p = &processes[i];

		mm_entry__init(&p->mm);
		vma_entry__init(&p->entry);
		p->entry.end = p->flags.end = PAGE(pages);
		p->entry.status = VMA_REGULAR | VMA_ANON_PRIVATE;
		p->flags.rss_kb = 2;
		p->flags.pss_kb = 1;
		p->list[0] = &p->entry;
		p->mm.vmas = p->list;
		p->mm.n_vmas = 1;
		p->dt.mm = &p->mm;
		p->dt.memory = &p->task;
		p->dt.vma_flags.v = &p->flags;
		p->dt.vma_flags.n = 1;
		p->dt.proc.dir = i;
		p->dt.t.pid = i + 1;
		p->dt.t.parent = !i ? NULL : &processes[i == GRANDCHILD ? CHILD : ROOT].dt.t;
		list_add_tail(&p->dt.t.in_tree, &dump.tree.tasks);
		for (uint64_t page = 0; page < pages; page++)
			table[i][page] = PM_PRESENT | (page + 100);
		if (array_add(&p->task.pages, ((struct page_region){ 0, PAGE(pages), 0 })))
			abort();
	}
}

static void end(void)
{
	for (int i = 0; i < TASKS; i++) {
		array_free(&processes[i].task.pages);
		array_free(&processes[i].task.same);
	}
}

/* Those of its own: in another frame. */
static void own_pages(int i, uint64_t first, uint64_t last)
{
	for (uint64_t page = first; page < last; page++)
		table[i][page] = PM_PRESENT | (page + (uint64_t)(i + 1) * 1000000);
}

/* The process that @page of the one with index @i is the same as. */
static uint32_t owner_of(int i, uint64_t page)
{
	const struct same_runs *same = &processes[i].task.same;

	for (size_t k = 0; k < same->n; k++)
		if (same->v[k].start <= PAGE(page) && same->v[k].end > PAGE(page))
			return same->v[k].process;
	return 0;
}

/* That every page has this one. */
static const char *expect(int i, uint64_t first, uint64_t last, uint32_t owner)
{
	for (uint64_t page = first; page < last; page++)
		if (owner_of(i, page) != owner)
			return because("page %lu of %d: the same as %u, not %u", (unsigned long)page, i,
				       owner_of(i, page), owner);
	return NULL;
}

static const char *test_who_has_them(void)
{
	const char *why;

	begin(PAGES);
	own_pages(CHILD, 1000, 2000); /* before it forked: the grandchild has them, too */
	memcpy(&table[GRANDCHILD][1000], &table[CHILD][1000], 1000 * sizeof(uint64_t));
	own_pages(GRANDCHILD, 5000, 5001);
	own_pages(ROOT, 7000, 8000); /* since the forks */
	EXPECT(!memory_hint_same(&dump, false) && !processes[ROOT].task.same.n && !opened);
	why = expect(CHILD, 0, 1000, 1) ?: expect(CHILD, 1000, 2000, 0) ?: expect(CHILD, 2000, 7000, 1);
	why = why ?: expect(CHILD, 7000, 8000, 0) ?: expect(CHILD, 8000, PAGES, 1);
	why = why ?: expect(GRANDCHILD, 0, 1000, 1) ?: expect(GRANDCHILD, 1000, 2000, 2);
	why = why ?: expect(GRANDCHILD, 2000, 5000, 1) ?: expect(GRANDCHILD, 5000, 5001, 0);
	/* What the root has changed it shares with its parent only. */
	why = why ?: expect(GRANDCHILD, 5001, 7000, 1) ?: expect(GRANDCHILD, 7000, 8000, 2);
	for (int i = GRANDCHILD + 1; i < TASKS; i++)
		why = why ?: expect(i, 0, 7000, 1) ?: expect(i, 7000, 8000, 0);
	end();
	return why;
}

/* Many short ones would make more entries than they are worth. */
static const char *test_short(void)
{
	begin(PAGES);
	for (uint64_t page = 0; page < 5000; page += 20)
		own_pages(CHILD, page, page + 1);
	EXPECT(!memory_hint_same(&dump, false) && processes[CHILD].task.same.n == 1);
	EXPECT(processes[CHILD].task.same.v[0].start == PAGE(4981) && processes[CHILD].task.same_is_hint);
	end();
	return NULL;
}

/* While it is looked for: it is not known whether both had it at the same time. */
static const char *test_moved(void)
{
	const char *why = NULL;

	for (int after = 1; !why && after <= 2; after++) {
		begin(PAGES);
		change_after = after;
		EXPECT(!memory_hint_same(&dump, false));
		why = expect(CHILD, 50, 51, 0) ?: expect(CHILD, 51, PAGES, 1);
		end();
	}
	return why;
}

/* Where nothing can be found, nobody looks. */
static const char *test_cost(void)
{
	begin(200);
	EXPECT(!memory_hint_same(&dump, false) && !reads && !processes[CHILD].task.same.n);
	end();
	begin(PAGES);
	processes[ROOT].flags.pss_kb = processes[CHILD].flags.pss_kb = 2;
	EXPECT(!memory_hint_same(&dump, false) && !reads);
	end();
	begin(PAGES);
	EXPECT(!memory_hint_same(&dump, false) && reads <= (TASKS - 1 + 2 * 3) * (PAGES / 4096 + 1));
	end();
	/* Frames are not shown. */
	begin(PAGES);
	for (int i = 0; i < TASKS; i++)
		for (uint64_t page = 0; page < PAGES; page++)
			table[i][page] = PM_PRESENT;
	EXPECT(!memory_hint_same(&dump, false) && !processes[CHILD].task.same.n && reads <= TASKS);
	end();
	begin(PAGES);
	opts.lazy_pages = true;
	EXPECT(!memory_hint_same(&dump, false) && !reads);
	opts.lazy_pages = false;
	end();
	return NULL;
}

/* A page map has no hints of pages that an older dump has: nobody looks at them. */
static const char *test_unchanged(void)
{
	struct pagemap older = { 0 };
	struct task_track track = { .parent = &older };
	const uint64_t first = 5000, last = first + 256;
	const char *why;

	for (int with_older = 0; with_older < 2; with_older++) {
		begin(PAGES);
		for (int i = CHILD; i < TASKS; i++) {
			struct page_regions *all = &processes[i].task.pages;

			processes[i].task.track = &track;
			all->v[0] = (struct page_region){ 0, PAGE(first), PAGES_UNCHANGED };
			EXPECT(!array_add(all, ((struct page_region){ PAGE(first), PAGE(last), 0 })));
			EXPECT(!array_add(all, ((struct page_region){ PAGE(last), PAGE(PAGES), PAGES_UNCHANGED })));
		}
		track.parent = with_older ? &older : NULL;
		EXPECT(!memory_hint_same(&dump, false));
		why = expect(CHILD, first, last, 1) ?: expect(GRANDCHILD, first, last, 1);
		why = why ?: expect(TASKS - 1, 0, first, !with_older) ?: expect(TASKS - 1, last, PAGES, !with_older);
		EXPECT(with_older == (pages_read < PAGES));
		end();
		if (why)
			return why;
	}
	return NULL;
}

/* After the tree has been resumed, those that have copies are compared: by these. */
static const char *test_copies(void)
{
	const char *why;

	begin(PAGES);
	for (int i = 0; i < TASKS; i++) {
		processes[i].copy.pid = i + COPY;
		/* It has none: it is compared while it is frozen, but with nobody. */
		if (i != GRANDCHILD + 1)
			processes[i].task.snapshot = &processes[i].copy;
		processes[i].dt.proc.dir = i == GRANDCHILD + 1 ? i : -1;
	}
	EXPECT(!memory_hint_same(&dump, false) && !reads && processes[CHILD].task.same_is_hint);
	EXPECT(!memory_hint_same(&dump, true) && reads && !opened);
	why = expect(CHILD, 0, PAGES, 1) ?: expect(GRANDCHILD, 0, PAGES, 1);
	why = why ?: expect(GRANDCHILD + 1, 0, PAGES, 0) ?: expect(TASKS - 1, 0, PAGES, 1);
	end();
	return why;
}

static int stop_soon(struct dump *asked)
{
	return reads > 20 ? -EINTR : 0;
}

static const char *test_interrupted(void)
{
	begin(PAGES);
	dump.interrupted = stop_soon;
	EXPECT(memory_hint_same(&dump, false) == -EINTR && !opened && reads < 20 + TASKS + 2);
	end();
	return NULL;
}

/* If it is not known how many pages mappings share, it is seen at the maker. */
static const char *test_nothing_shared(void)
{
	begin(PAGES);
	processes[ROOT].dt.vma_flags.n = processes[CHILD].dt.vma_flags.n = 0;
	for (int i = 0; i < TASKS; i++)
		for (uint64_t page = 0; page < PAGES; page++)
			table[i][page] |= PM_EXCLUSIVE;
	EXPECT(!memory_hint_same(&dump, false) && !processes[CHILD].task.same.n && pages_read <= 3 * PAGES);
	end();
	/* Where pages have not been counted, they are looked at. */
	begin(PAGES);
	processes[ROOT].flags.rss_kb = processes[ROOT].flags.pss_kb = 0;
	EXPECT(!memory_hint_same(&dump, false) && processes[CHILD].task.same.n == 1);
	end();
	return NULL;
}

/* It had the same frames, all of them. */
static bool is_right(int i, const struct same_run *run)
{
	const uint64_t *own = &table[i][run->start / PAGE_SZ], *other = &table[run->process - 1][run->start / PAGE_SZ];

	return run->process && run->process <= (uint32_t)i &&
	       !memcmp(own, other, (run->end - run->start) / PAGE_SZ * 8);
}

/* Each allocation fails once: there are fewer hints, but those that there are are right, and the dump goes on. */
static const char *test_no_memory(void)
{
	unsigned failures = 0;

	do {
		begin(PAGES);
		for (uint64_t page = 0; page < PAGES; page += 100)
			own_pages(CHILD, page, page + 1);
		failed = false;
		allocations_left = failures;
		EXPECT(!memory_hint_same(&dump, false) && !opened);
		for (int i = 0; i < TASKS; i++)
			for (size_t k = 0; k < processes[i].task.same.n; k++)
				EXPECT(is_right(i, &processes[i].task.same.v[k]));
		allocations_left = -1;
		failures += failed;
		end();
	} while (failed);
	EXPECT(failures > 10);
	return NULL;
}

int main(void)
{
	run_case("who has them", test_who_has_them);
	run_case("short ones", test_short);
	run_case("moved", test_moved);
	run_case("cost", test_cost);
	run_case("unchanged", test_unchanged);
	run_case("copies", test_copies);
	run_case("interrupted", test_interrupted);
	run_case("nothing shared", test_nothing_shared);
	run_case("no memory", test_no_memory);
	return cases_failed();
}
