/* SPDX-License-Identifier: GPL-2.0-only */
/* Finds free ranges in an address space that is about to be replaced. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "kernel/maps.h"
#include "memory/memory.h"
#include "memory/restore_memory.h"
#include "pie/vma.h"
#include "util/log.h"

/*
 * Below this, mmap_min_addr may forbid mappings; above, a little before the end, are stack and vDSO of a new program.
 */
#define LOWEST (1ull << 20)
#define HIGHEST (USER_END + PAGE_SZ - (1ull << 21))

/* For the range that all tasks share: its minimum size, and its distance from what is above. */
#define ROOM_MIN (1ull << 30)
#define ROOM_BELOW (64ull << 30)

static int cmp_range(const void *a, const void *b)
{
	const struct wire_range *x = a, *y = b;

	return (x->start > y->start) - (x->start < y->start);
}

static int add_targets(const struct restore_task *rt, struct holes *holes)
{
	int err = 0;

	for (size_t i = 0; !err && rt->mm && i < rt->mm->n_vmas; i++) {
		const VmaEntry *v = rt->mm->vmas[i];

		if (!(v->status & VMA_VSYSCALL))
			err = array_add(holes, ((struct wire_range){ v->start, v->end }));
	}
	return err;
}

static int add_maps(struct holes *holes, const struct maps *maps)
{
	int err = 0;

	for (size_t i = 0; !err && i < maps->n; i++)
		err = array_add(holes, ((struct wire_range){ maps->v[i].start, maps->v[i].end }));
	return err;
}

static int add_own(struct holes *holes)
{
	_cleanup_proc_ struct proc self = PROC_CLOSED;
	struct maps maps = { 0 };
	int err = proc_open_self(&self);

	if (!err)
		err = maps_read(&self, &maps);
	if (!err)
		err = add_maps(holes, &maps);
	maps_free(&maps);
	return err;
}

/* The two address spaces may overlap; holes_take needs disjoint ranges. */
static void merge(struct holes *holes)
{
	size_t n = 0;

	array_sort(holes, cmp_range);
	for (size_t i = 0; i < holes->n; i++) {
		if (n && holes->v[i].start <= holes->v[n - 1].end)
			holes->v[n - 1].end = MAX_OF(holes->v[n - 1].end, holes->v[i].end);
		else
			holes->v[n++] = holes->v[i];
	}
	holes->n = n;
}

int holes_read(struct restore *r, struct restore_task *rt, struct holes *ret_holes)
{
	struct holes holes = { 0 };
	struct restore_task *other;
	int err = add_own(&holes);

	if (!err && rt)
		err = add_targets(rt, &holes);
	else
		restore_for_each_task(other, r)
			err = err ? err : add_targets(other, &holes);
	if (err < 0) {
		array_free(&holes);
		return fail(err, "map of free addresses");
	}
	merge(&holes);
	*ret_holes = holes;
	return 0;
}

/*
 * In the upper part of the largest hole: the kernel places mappings of the forking phase right below existing ones, and
 * holes_take() starts at the bottom of a hole.
 */
static struct wire_range room_in(const struct holes *holes)
{
	struct wire_range largest = { 0 };
	uint64_t from = LOWEST, start;

	for (size_t i = 0; i <= holes->n; i++) {
		uint64_t to = i < holes->n ? MIN_OF(holes->v[i].start, HIGHEST) : HIGHEST;

		if (to > from && to - from > largest.end - largest.start)
			largest = (struct wire_range){ from, to };
		if (i < holes->n)
			from = MAX_OF(from, holes->v[i].end);
	}
	if (largest.end - largest.start < ROOM_MIN)
		return (struct wire_range){ 0 };
	start = largest.end - MIN_OF((largest.end - largest.start) / 2, ROOM_BELOW);
	start = ROUND_DOWN(start, HUGE_PAGE_SZ);
	return (struct wire_range){ start, start + (largest.end - start) / 2 };
}

int holes_plan(struct restore *r, const struct maps *maps)
{
	struct holes holes = { 0 };
	struct restore_task *rt;
	int err = add_maps(&holes, maps);

	restore_for_each_task(rt, r)
		err = err ? err : add_targets(rt, &holes);
	if (!err) {
		merge(&holes);
		r->plan.room = room_in(&holes);
	}
	array_free(&holes);
	return err ? fail(err, "map of free addresses") : 0;
}

void holes_free(struct holes *holes)
{
	array_free(holes);
}

uint64_t holes_take(struct holes *holes, uint64_t len, uint64_t align)
{
	uint64_t top = HIGHEST;

	if (len > HIGHEST || array_reserve(holes, 1))
		return 0;
	/* Stacks grow downwards out of their mapping: keep as far below such mappings as a stack may grow. */
	for (size_t i = holes->n; i-- > 0;) {
		uint64_t bottom = holes->v[i].end + PAGE_SZ, at;

		if (bottom < top && top - bottom >= len + align + (64ull << 20)) {
			at = ROUND_DOWN(bottom + (32ull << 20) + align, align);
			memmove(&holes->v[i + 2], &holes->v[i + 1], (holes->n - i - 1) * sizeof(*holes->v));
			holes->v[i + 1] = (struct wire_range){ at, at + len };
			holes->n++;
			return at;
		}
		if (holes->v[i].start <= LOWEST)
			return 0;
		top = MIN_OF(top, holes->v[i].start - PAGE_SZ);
	}
	return 0;
}

int memory_find_hole(struct restore *r, struct restore_task *rt, uint64_t len, uint64_t *ret_addr)
{
	struct holes holes;
	uint64_t at;
	int err = holes_read(r, rt, &holes);

	if (err)
		return err;
	at = holes_take(&holes, len, PAGE_SZ);
	holes_free(&holes);
	if (!at)
		return fail(-ENOMEM, "there are no %lu bytes of address space that are free in both programs", len);
	*ret_addr = at;
	return 0;
}
