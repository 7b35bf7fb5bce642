/* SPDX-License-Identifier: GPL-2.0-only */
/* One look at the page tables of an address space: pages of its own, and guard markers. */
#include <errno.h>
#include "kernel/pagemap_scan.h"
#include "memory/dump_memory.h"
#include "util/log.h"

/* Splitting the scan costs more than it saves on less. */
#define WORTH_ASKING_LESS (2ul << 20)

/* For pages of files the kernel looks at every page itself, not only at the tables: four times the work. */
static bool has_no_file_pages(const struct kernel_vma *v)
{
	return !v->ino && !v->dev_major && !v->dev_minor && !v->shared && v->end - v->start >= WORTH_ASKING_LESS;
}

static int scan_range(struct dump_task *dt, const struct page_scan *scan, uint64_t start, uint64_t end, bool no_files)
{
	const uint64_t never = PAGE_PFNZERO | (no_files ? 0 : PAGE_FILE);
	const struct page_want want = {
		.all = never,
		.inverted = never,
		.any = PAGE_PRESENT | PAGE_SWAPPED | PAGE_GUARD,
		.report = PAGE_GUARD,
	};
	struct page_regions all = { 0 };
	int err = page_scan_range(scan, start, end, &want, &all);

	for (size_t i = 0; !err && i < all.n; i++)
		err = array_add(all.v[i].categories & PAGE_GUARD ? &dt->guards : &dt->pages, all.v[i]);
	array_free(&all);
	return err;
}

int memory_scan_pages(struct dump_task *dt)
{
	_cleanup_page_scan_ struct page_scan scan = PAGE_SCAN_CLOSED;
	int err = page_scan_open(&dt->proc, &scan);

	/* Neighbours of one sort go together: what lies between them is empty. */
	for (size_t i = 0, next; !err && i < dt->maps.n; i = next) {
		bool no_files = has_no_file_pages(&dt->maps.v[i]);

		for (next = i + 1; next < dt->maps.n && has_no_file_pages(&dt->maps.v[next]) == no_files; next++)
			if (dt->maps.v[next].end >= 1ull << 63)
				break;
		if (dt->maps.v[i].end < 1ull << 63)
			err = scan_range(dt, &scan, dt->maps.v[i].start, dt->maps.v[next - 1].end, no_files);
	}
	return err < 0 ? fail(err, "read the page map") : 0;
}
