/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which pages a dump leaves out because previous images have them: from made-up page tables, also those of a kernel with soft-dirty
 * bits, to the runs that a sink gets.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/bits.h"
#include "image/dir.h"
#include "image/pagemap.h"
#include "image_helper.h"
#include "memory/aio.h"
#include "memory/dump_memory.h"
#include "memory/tracking.h"
#include "pie/vma.h"

#define PAGE(n) ((uint64_t)(n)*PAGE_SZ)
#define PAGES 16

/* ---- the page table: categories of each page; those of the ioctl (kernel/pagemap_scan.h) */

static uint64_t table[PAGES];
static bool tracked[PAGES]; /* for page_want.protect */
static unsigned armed; /* pages, so far */

int page_scan_open(const struct proc *p, struct page_scan *ret_pm)
{
	*ret_pm = (struct page_scan){ .fd = -1, .has_scan = true, .known = ~0ull };
	return 0;
}

void page_scan_close(struct page_scan *pm)
{
}

int page_scan_entries(const struct page_scan *pm, uint64_t start, size_t pages, uint64_t *ret_v)
{
	return -EIO;
}

int page_scan_range(const struct page_scan *pm, uint64_t start, uint64_t end, const struct page_want *want,
		    struct page_regions *to)
{
	for (uint64_t at = start; at < end; at += PAGE_SZ) {
		uint64_t c = table[at / PAGE_SZ], seen = c ^ want->inverted;

		if (want->protect && !tracked[at / PAGE_SZ])
			return -EPERM;
		if ((seen & want->all) != want->all || (want->any && !(seen & want->any)))
			continue;
		if (want->protect && c & PAGE_WRITTEN) {
			table[at / PAGE_SZ] &= ~(uint64_t)PAGE_WRITTEN;
			armed++;
		}
		if (array_add(to, ((struct page_region){ at, at + PAGE_SZ, c & want->report })))
			return -ENOMEM;
	}
	return 0;
}

bool aio_is_ring(const struct kernel_vma *v)
{
	return false;
}

/* ---- a process with three mappings: pages 0 to 7, 8 to 11, 12 to 15 */

struct process {
	struct dump dump;
	struct memory_dump memory;
	struct tracking tracking;
	struct dump_task dt;
	struct memory_task task;
	struct task_track track;
	struct kernel_vma vmas[3];
	struct vma_flags flags[3];
	uint8_t areas[3];
	VmaEntry entries[3], *list[3];
	MmEntry mm;
};

static const uint64_t borders[] = { 0, 8, 12, 16 };

static void begin(struct process *p, const struct track_backend *backend)
{
	memset(p, 0, sizeof(*p));
	p->dump.memory = &p->memory;
	p->memory.tracking = &p->tracking;
	p->tracking.backend = backend;
	p->dt.memory = &p->task;
	p->task.track = &p->track;
	p->track.areas = p->areas;
	p->track.known = true;
	p->dt.maps = (struct maps){ .v = p->vmas, .n = 3 };
	p->dt.vma_flags.v = p->flags;
	p->dt.vma_flags.n = 3;
	p->dt.proc.dir = -1;
	mm_entry__init(&p->mm);
	p->mm.vmas = p->list;
	p->mm.n_vmas = 3;
	for (int i = 0; i < 3; i++) {
		p->vmas[i] = (struct kernel_vma){ .start = PAGE(borders[i]), .end = PAGE(borders[i + 1]), .name = "" };
		p->list[i] = &p->entries[i];
		vma_entry__init(&p->entries[i]);
		p->entries[i].start = p->vmas[i].start;
		p->entries[i].end = p->vmas[i].end;
		p->entries[i].status = VMA_REGULAR | VMA_ANON_PRIVATE;
	}
	armed = 0;
	for (int i = 0; i < PAGES; i++) {
		table[i] = PAGE_PRESENT;
		tracked[i] = true;
	}
}

static void end(struct process *p)
{
	array_free(&p->task.pages);
	array_free(&p->task.guards);
}

/* One character for each page: w written, p in the previous images, . nothing. */
static char text[PAGES + 1];

static int note(void *arg, const VmaEntry *vma, const struct page_run *run)
{
	for (uint64_t at = run->start; at < run->end; at += PAGE_SZ)
		text[at / PAGE_SZ] = run->outcome == PAGES_PARENT ? 'p' : run->outcome == PAGES_WRITE ? 'w' : '?';
	return run->start < vma->start || run->end > vma->end || run->start >= run->end ? -EINVAL : 0;
}

static const char *runs_of(struct process *p)
{
	memset(text, '.', PAGES);
	array_free(&p->task.pages);
	array_free(&p->task.guards);
	if (memory_scan_pages(&p->dump, &p->dt) || memory_classify_pages(&p->dt, &p->mm, note, NULL))
		return "error";
	return text;
}

/* Pages 1 to 3, 5 (not loaded yet), 7 to 9. */
static struct pagemap_run parent_runs[] = {
	{ .vaddr = PAGE(1), .nr_pages = 3, .flags = PAGEMAP_PRESENT },
	{ .vaddr = PAGE(5), .nr_pages = 1, .flags = PAGEMAP_LAZY },
	{ .vaddr = PAGE(7), .nr_pages = 3, .flags = PAGEMAP_PRESENT | PAGEMAP_LAZY },
};
static struct pagemap parent = { .nr_runs = 3, .runs = parent_runs };

static void soft_dirty(struct process *p)
{
	begin(p, &track_soft_dirty);
	p->flags[2].flags = BIT(VMF_SD); /* a mapping that is new, or was merged with a new one */
}

static const char *soft_dirty_bits(void)
{
	static struct process p;

	soft_dirty(&p);
	p.track.parent = &parent;
	EXPECT(!track_soft_dirty.find(&p.dump, &p.dt));
	EXPECT(p.areas[0] == AREA_TRACKED && p.areas[1] == AREA_TRACKED && p.areas[2] == AREA_UNTRACKED);
	/* All are clean: those that the previous images have. */
	EXPECT(!strcmp(runs_of(&p), "wpppwwwppp"
				    "wwwwww"));
	table[2] |= PAGE_SOFT_DIRTY;
	table[8] |= PAGE_SOFT_DIRTY;
	table[9] = 0;
	EXPECT(!strcmp(runs_of(&p), "wpwpwwwpw.wwwwww"));
	/* Previous images of which nothing is known. */
	p.track.parent = NULL;
	EXPECT(!strcmp(runs_of(&p), "wwwwwwwww.wwwwww"));
	/* Another program may have cleared the bits. */
	p.track.parent = &parent;
	p.track.known = false;
	memset(p.areas, 0, sizeof(p.areas));
	EXPECT(!track_soft_dirty.find(&p.dump, &p.dt) && !strcmp(runs_of(&p), "wwwwwwwww.wwwwww"));
	end(&p);
	return NULL;
}

static const char *content_of(const char *dir)
{
	static char buf[16];
	size_t len = 0;
	char *got = (char *)slurp(dir, "clear_refs", &len);

	memset(buf, 0, sizeof(buf));
	if (got && len < sizeof(buf))
		memcpy(buf, got, len);
	free(got);
	return buf;
}

static const char *soft_dirty_bits_are_cleared(void)
{
	static struct process p;
	_cleanup_scratch_ char *proc = scratch_create();

	soft_dirty(&p);
	spew(proc, "clear_refs", "", 0);
	p.dt.proc.dir = open(proc, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	p.track.parent = &parent;
	p.tracking.arms = true;
	EXPECT(!track_soft_dirty.find(&p.dump, &p.dt) && !track_soft_dirty.extend(&p.dump, &p.dt));
	EXPECT(p.areas[1] == AREA_TRACKED && p.areas[2] == AREA_FRESH);
	p.track.must_not_arm = true;
	EXPECT(!strcmp(runs_of(&p), "wpppwwwpppwwwwww") && !strcmp(content_of(proc), ""));
	p.track.must_not_arm = false;
	EXPECT(!strcmp(runs_of(&p), "wpppwwwpppwwwwww") && !strcmp(content_of(proc), "4"));
	EXPECT(!armed);
	close(p.dt.proc.dir);
	end(&p);
	return NULL;
}

/* The other backend, as far as it is the same for both. */
static const struct track_backend by_scan = { .written = PAGE_WRITTEN, .arms_by_scan = true };

static const char *write_protection(void)
{
	static struct process p;

	begin(&p, &by_scan);
	p.track.parent = &parent;
	p.areas[0] = AREA_TRACKED;
	p.areas[1] = AREA_FRESH;
	table[1] |= PAGE_WRITTEN;
	table[4] |= PAGE_WRITTEN | PAGE_PFNZERO;
	table[6] = PAGE_SWAPPED | PAGE_GUARD;
	table[7] = PAGE_SWAPPED;
	/* A page that is not protected counts as fresh all the same. */
	table[8] |= PAGE_WRITTEN;
	EXPECT(!strcmp(runs_of(&p), "wwpp.w.pwwwwwwww") && !armed && p.task.guards.n == 1);
	p.tracking.arms = true;
	EXPECT(!strcmp(runs_of(&p), "wwpp.w.pwwwwwwww") && armed == 2 && p.task.guards.n == 1);
	EXPECT(table[4] & PAGE_WRITTEN);
	EXPECT(!strcmp(runs_of(&p), "wppp.w.pwwwwwwww") && armed == 2);
	p.track.must_not_arm = true;
	table[3] |= PAGE_WRITTEN;
	EXPECT(!strcmp(runs_of(&p), "wppw.w.pwwwwwwww") && armed == 2 && table[3] & PAGE_WRITTEN);
	end(&p);
	return NULL;
}

/* The range is not tracked after all, but a part of it has been armed: nothing in it counts as clean. */
static const char *a_range_that_is_not_tracked(void)
{
	static struct process p;

	begin(&p, &by_scan);
	p.track.parent = &parent;
	p.areas[0] = p.areas[1] = AREA_TRACKED;
	p.tracking.arms = true;
	tracked[6] = false;
	EXPECT(!strcmp(runs_of(&p), "wwwwwwwwwwwwwwww"));
	EXPECT(p.areas[0] == AREA_UNTRACKED && p.areas[1] == AREA_UNTRACKED);
	end(&p);
	return NULL;
}

int main(void)
{
	run_case("soft_dirty_bits", soft_dirty_bits);
	run_case("soft_dirty_bits_are_cleared", soft_dirty_bits_are_cleared);
	run_case("write_protection", write_protection);
	run_case("a_range_that_is_not_tracked", a_range_that_is_not_tracked);
	return cases_failed();
}
