/* SPDX-License-Identifier: GPL-2.0-only */
/* Pages that processes share copy-on-write, from made-up page tables; and what happens if memory for that runs out. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/bits.h"
#include "image_helper.h"
#include "memory/dump_memory.h"
#include "memory/memory.h"
#include "pie/vma.h"

#define PAGE(n) ((uint64_t)(n)*PAGE_SZ)
enum { TASKS = 3, PAGES = 20000 };

static uint64_t table[TASKS][PAGES];
static unsigned reads, entries_read;
static long allocations_left; /* the one after them fails, once; -1: none */
static bool failed;
/* A page that changes after so many reads. */
static unsigned change_after;

void *reallocarray(void *p, size_t n, size_t size)
{
	if (allocations_left >= 0 && !allocations_left--) {
		failed = true;
		errno = ENOMEM;
		return NULL;
	}
	return realloc(p, n * size);
}

int page_scan_open(const struct proc *p, struct page_scan *ret_pm)
{
	*ret_pm = (struct page_scan){ .fd = p->dir };
	return 0;
}

void page_scan_close(struct page_scan *pm)
{
}

int page_scan_entries(const struct page_scan *pm, uint64_t start, size_t pages, uint64_t *ret_v)
{
	if (!pages || start / PAGE_SZ + pages > PAGES)
		return -EIO;
	memcpy(ret_v, &table[pm->fd][start / PAGE_SZ], pages * sizeof(*ret_v));
	entries_read += pages;
	if (++reads == change_after)
		table[1][0]++;
	return 0;
}

int page_scan_range(const struct page_scan *pm, uint64_t start, uint64_t end, const struct page_want *want,
		    struct page_regions *to)
{
	return -EIO;
}

/* ---- processes 1 to 3, each with one mapping ---- */

struct process {
	struct dump_task dt;
	struct memory_task task;
	VmaEntry entry, *list[1];
	MmEntry mm;
};

static struct dump dump;
static struct options opts;
static struct process processes[TASKS];

/* Of @pages, every @step-th one is there, and in the same frame in all of them. */
static void begin(unsigned step, uint64_t pages)
{
	memset(&dump, 0, sizeof(dump));
	memset(processes, 0, sizeof(processes));
	memset(table, 0, sizeof(table));
	opts.share_pages = true;
	dump.opts = &opts;
	list_init(&dump.tree.tasks);
	dump.tree.nr_tasks = TASKS;
	reads = entries_read = change_after = 0;
	allocations_left = -1;
	for (int i = 0; i < TASKS; i++) {
		struct process *p = &processes[i];

		mm_entry__init(&p->mm);
		vma_entry__init(&p->entry);
		p->entry.end = PAGE(pages);
		p->entry.status = VMA_REGULAR | VMA_ANON_PRIVATE;
		p->list[0] = &p->entry;
		p->mm.vmas = p->list;
		p->mm.n_vmas = 1;
		p->dt.mm = &p->mm;
		p->dt.memory = &p->task;
		p->dt.proc.dir = i;
		p->dt.t.pid = i + 1;
		list_add_tail(&p->dt.t.in_tree, &dump.tree.tasks);
		for (uint64_t page = 0; page < pages; page += step) {
			table[i][page] = PM_PRESENT | (page + 100);
			if (array_add(&p->task.pages, ((struct page_region){ PAGE(page), PAGE(page + 1), 0 })))
				abort();
		}
	}
}

static void end(void)
{
	for (int i = 0; i < TASKS; i++) {
		array_free(&processes[i].task.pages);
		array_free(&processes[i].task.same);
	}
}

static uint64_t shared_pages(int i, uint32_t owner)
{
	const struct same_runs *same = &processes[i].task.same;
	uint64_t pages = 0;

	for (size_t k = 0; k < same->n; k++)
		pages += same->v[k].process == owner ? (same->v[k].end - same->v[k].start) / PAGE_SZ : PAGES;
	return pages;
}

static const char *test_shared(void)
{
	begin(1, PAGES);
	table[1][7]++; /* its own, and the third one's is the first one's */
	table[2][8] = PM_PRESENT | PM_EXCLUSIVE | 9;
	table[1][PAGES - 1] = table[2][PAGES - 1] = 0;
	EXPECT(!memory_find_same(&dump) && !processes[0].task.same.n);
	EXPECT(shared_pages(1, 1) == PAGES - 2 && shared_pages(2, 1) == PAGES - 2);
	EXPECT(processes[1].task.same.n == 2 && processes[1].task.same.v[0].end == PAGE(7));
	end();
	return NULL;
}

/* One read is for many pages, if they are near; and few are read in vain, if they are not. */
static const char *test_reads(void)
{
	const unsigned steps[] = { 1, 2, 10, 1000 };

	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		unsigned pages;

		begin(steps[i], PAGES);
		pages = TASKS * ((PAGES + steps[i] - 1) / steps[i]);
		EXPECT(!memory_find_same(&dump) && shared_pages(2, 1) == pages / TASKS);
		if (reads > 2 * (TASKS * 10 + pages / 100) && steps[i] < 1000)
			return because("%u reads for %u pages", reads, pages);
		if (entries_read > 2 * 64 * pages || entries_read > 2 * TASKS * PAGES)
			return because("%u entries for %u pages", entries_read, pages);
		end();
	}
	return NULL;
}

/* All are read twice: a page that is elsewhere the second time is not shared. */
static const char *test_moved(void)
{
	const uint64_t sizes[] = { 40, PAGES };

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		unsigned half;

		begin(2, sizes[i]);
		EXPECT(!memory_find_same(&dump) && shared_pages(1, 1) == sizes[i] / 2);
		half = i ? reads / 2 : TASKS;
		end();
		begin(2, sizes[i]);
		change_after = half;
		EXPECT(!memory_find_same(&dump));
		EXPECT(shared_pages(1, 1) == sizes[i] / 2 - 1 && shared_pages(2, 1) == sizes[i] / 2);
		end();
	}
	return NULL;
}

/* Each allocation fails once: then no page is shared, and the dump goes on. */
static const char *test_no_memory(void)
{
	unsigned failures = 0;

	do {
		begin(2, PAGES);
		/* Not the same in all, so that the lists of shared pages grow while there is something in them. */
		table[1][10] = PM_PRESENT | 5;
		failed = false;
		allocations_left = failures;
		EXPECT(!memory_find_same(&dump));
		for (int i = 0; i < TASKS; i++)
			EXPECT(failed ? !processes[i].task.same.n && !processes[i].task.same.v :
					!i || processes[i].task.same.n);
		allocations_left = -1;
		failures += failed;
		end();
	} while (failed);
	EXPECT(failures > 10);
	return NULL;
}

int main(void)
{
	run_case("shared", test_shared);
	run_case("reads", test_reads);
	run_case("moved", test_moved);
	run_case("no memory", test_no_memory);
	return cases_failed();
}
