/* SPDX-License-Identifier: GPL-2.0-only */
/* Scans the page tables of an address space: its own pages, and guard markers. */
#include <errno.h>
#include <string.h>
#include "kernel/device.h"
#include "kernel/pagemap_scan.h"
#include "kernel/shm.h"
#include "memory/dump_memory.h"
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

static int scan_range(struct dump_task *dt, const struct page_scan *scan, uint64_t start, uint64_t end, uint64_t never)
{
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

int memory_scan_pages(struct dump *dump, struct dump_task *dt)
{
	struct looking l = { .mounts = &dump->mounts };
	_cleanup_page_scan_ struct page_scan scan = PAGE_SCAN_CLOSED;
	int err = page_scan_open(&dt->proc, &scan);

	/* Neighbours of the same type are scanned together: what is between them is empty. */
	for (size_t i = 0, next; !err && i < dt->maps.n; i = next) {
		uint64_t never = never_own(&l, &dt->maps.v[i]);

		for (next = i + 1; next < dt->maps.n && never_own(&l, &dt->maps.v[next]) == never; next++)
			if (dt->maps.v[next].end >= 1ull << 63)
				break;
		if (dt->maps.v[i].end < 1ull << 63)
			err = scan_range(dt, &scan, dt->maps.v[i].start, dt->maps.v[next - 1].end, never);
	}
	return err < 0 ? fail(err, "read the page map") : 0;
}
