/* SPDX-License-Identifier: GPL-2.0-only */
/* In pie/: no libc, no globals, direct system calls only. */
/*
 * The rings of an io_uring: mmap(2) and mremap(2) refuse any address for them (io_uring_get_unmapped_area of the
 * kernel), and use a free range. So, for a moment, only the right range is left free.
 */
#include <asm-generic/errno-base.h>
#include <compel/pie.h>
#include <linux/mman.h>
#include "base/bits.h"
#include "pie/restorer/core.h"

/* No lower address is used: vm.mmap_min_addr's default. */
#define USER_START (64ull << 10)
#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

static void occupy(uint64_t start, uint64_t end, bool on)
{
	if (start >= end)
		return;
	/* If occupying fails, the address of the mapping shows it. */
	if (on)
		sys_mmap((void *)start, end - start, PROT_NONE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
	else
		sys_munmap((void *)start, end - start);
}

/* A gap between two reserved ranges, except for @v and existing mappings. */
static void occupy_gap(const struct wire_task *task, uint64_t start, uint64_t end, const struct wire_vma *upto, bool on)
{
	for (const struct wire_vma *v = (void *)task->vmas; v <= upto && v->start < end; v++) {
		if (!v->unplaced || v->start < start)
			continue;
		occupy(start, v->start, on);
		start = v->end;
	}
	occupy(start, end, on);
}

static void occupy_all(const struct wire_task *task, const struct wire_vma *upto, bool on)
{
	const struct wire_range *range = (void *)task->reserved;
	uint64_t at = USER_START;

	for (uint64_t i = 0; i < task->nr_reserved; i++) {
		occupy_gap(task, at, range[i].start, upto, on);
		at = range[i].end > at ? range[i].end : at;
	}
	occupy_gap(task, at, USER_END, upto, on);
}

int placed_map(struct wire_task *task)
{
	const struct wire_vma *v = (void *)task->vmas;

	for (uint64_t i = 0; i < task->nr_vmas; i++) {
		uint64_t len = v[i].end - v[i].start;
		long got;

		if (!v[i].unplaced)
			continue;
		occupy_all(task, &v[i], true);
		got = sys_mmap(NULL, len, (int)v[i].prot, (int)v[i].flags, v[i].fd, v[i].pgoff);
		occupy_all(task, &v[i], false);
		if (got == (long)v[i].start)
			continue;
		return restorer_fail_at(task, got < 0 ? got : -EEXIST, "map the ring of an io_uring", v[i].start);
	}
	return 0;
}
