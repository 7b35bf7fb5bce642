/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Soft-dirty bits (CONFIG_MEM_SOFT_DIRTY): the kernel sets one in the page table entry at the first write after all have been cleared
 * by writing 4 to /proc/PID/clear_refs. A mapping that was created since has the flag "sd", also one that was merged with
 * such a one: then none of its pages is known. There is nothing to hold between two runs; the tracker only says of which run
 * the bits are.
 */
#include <errno.h>
#include <sys/mman.h>
#include "base/bits.h"
#include "memory/dump_memory.h"
#include "memory/tracking.h"
#include "util/fds.h"
#include "util/log.h"

/* A page that was just written has the bit, if there is one. */
static bool probe(void)
{
	volatile char *page = mmap(NULL, PAGE_SZ, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	_cleanup_page_scan_ struct page_scan scan = PAGE_SCAN_CLOSED;
	_cleanup_proc_ struct proc self = PROC_CLOSED;
	uint64_t entry = 0;

	if (page == MAP_FAILED)
		return false;
	*page = 1;
	if (!proc_open_self(&self) && !page_scan_open(&self, &scan) &&
	    page_scan_entries(&scan, (uintptr_t)page, 1, &entry))
		entry = 0;
	munmap((void *)page, PAGE_SZ);
	return entry & PM_SOFT_DIRTY;
}

static int find(struct dump *dump, struct dump_task *dt)
{
	for (size_t i = 0; dt->memory->track->known && i < dt->maps.n; i++)
		if (track_is_eligible(dt, i) && !(dt->vma_flags.v[i].flags & BIT(VMF_SD)))
			dt->memory->track->areas[i] = AREA_TRACKED;
	return 0;
}

static int extend(struct dump *dump, struct dump_task *dt)
{
	for (size_t i = 0; i < dt->maps.n; i++)
		if (track_area_of(dt, i) == AREA_UNTRACKED && track_is_eligible(dt, i))
			dt->memory->track->areas[i] = AREA_FRESH;
	return 0;
}

static int arm(struct dump *dump, struct dump_task *dt)
{
	int err = write_text(dt->proc.dir, "clear_refs", "4");

	return err < 0 ? fail(err, "clear the soft-dirty bits of the process") : 0;
}

const struct track_backend track_soft_dirty = {
	.name = "soft-dirty bits",
	.written = PAGE_SOFT_DIRTY,
	.probe = probe,
	.find = find,
	.extend = extend,
	.arm = arm,
};
