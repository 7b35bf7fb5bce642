/* SPDX-License-Identifier: GPL-2.0-only */
#include "memory/premap.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include "memory/memory.h"
#include "pie/vma.h"
#include "run/user_ns.h"
#include "util/log.h"

/* Bitmaps of larger mappings (address space that is only reserved) cost more than the sharing gains. */
#define HULL_MAX (1ull << 40)

bool premap_fits(const VmaEntry *a, const VmaEntry *b)
{
	const uint32_t kind = VMA_ANON_PRIVATE | VMA_FILE_PRIVATE, flags = MAP_GROWSDOWN | MAP_NORESERVE;

	if (((a->status ^ b->status) & kind) || ((a->flags ^ b->flags) & flags))
		return false;
	return (a->status & VMA_ANON_PRIVATE) || (a->shmid == b->shmid && a->pgoff - a->start == b->pgoff - b->start);
}

/*
 * Locking writes to every page of writable private memory: none is shared. @late: no file can be opened before the forks
 * (restore_enters_late()).
 */
static bool may_share(const VmaEntry *v, bool late)
{
	return vma_has_private_pages(v->status) && !(late && v->status & VMA_FILE_PRIVATE) && !(v->status & VMA_VDSO) &&
	       !(v->flags & (MAP_LOCKED | MAP_HUGETLB)) && (v->flags & MAP_TYPE) == MAP_PRIVATE &&
	       v->end - v->start <= HULL_MAX;
}

/* The process that forks it, not counting helpers; if that is a VM peer, the owner of its memory. */
static struct restore_task *maker_of(const struct restore_task *rt)
{
	struct restore_task *by = rt->creator;

	while (by && !by->mm)
		by = by->creator;
	return by;
}

static struct premap_hull *hull_new(struct restore *r, const struct restore_task *rt, size_t *ret_nr)
{
	struct premap_hull *hulls = restore_alloc(r, rt->mm->n_vmas * sizeof(*hulls));
	size_t n = 0;

	for (size_t i = 0; hulls && i < rt->mm->n_vmas; i++) {
		const VmaEntry *v = rt->mm->vmas[i];

		if (may_share(v, restore_enters_late(r)))
			hulls[n++] = (struct premap_hull){ .vma = v, .start = v->start, .end = v->end };
	}
	*ret_nr = n;
	return hulls;
}

/* The areas staged by @by need space for the mappings of all its descendants. */
static void extend(struct premap *by, const struct premap *child)
{
	size_t i = 0;

	for (size_t c = 0; c < child->nr_hulls; c++) {
		const struct premap_hull *h = &child->hulls[c];

		while (i < by->nr_hulls && by->hulls[i].vma->end <= h->start)
			i++;
		for (size_t k = i; k < by->nr_hulls && by->hulls[k].vma->start < h->end; k++) {
			struct premap_hull *own = &by->hulls[k];
			uint64_t start = MIN_OF(own->start, h->start), end = MAX_OF(own->end, h->end);

			if (!premap_fits(own->vma, h->vma) || end - start > HULL_MAX)
				continue;
			own->start = start;
			own->end = end;
			own->wanted = by->wanted = true;
		}
	}
}

int premap_link(struct restore *r)
{
	struct restore_task *rt;

	/* Pages that are supplied later cannot be shared by then. */
	if (r->plan.tree.nr_tasks < 2 || r->opts->lazy_pages)
		return 0;
	restore_for_each_task(rt, r) {
		struct premap *p;

		if (!rt->mm || rt->t.state == TASK_DEAD)
			continue;
		p = rt->memory = restore_alloc(r, sizeof(*p));
		if (p)
			p->hulls = hull_new(r, rt, &p->nr_hulls);
		if (!p || !p->hulls)
			return fail(-ENOMEM, "plan of shared memory");
	}
	/* Children first, so that a task's hulls are complete when its parent merges them. */
	for (struct list *pos = r->plan.tree.tasks.prev; pos != &r->plan.tree.tasks; pos = pos->prev) {
		struct restore_task *by;

		rt = restore_task_of(list_entry(pos, struct task, in_tree));
		by = maker_of(rt);
		if (rt->memory && by && by->memory)
			extend(by->memory, rt->memory);
	}
	return 0;
}

struct premap_area *premap_find(struct premap *p, const VmaEntry *vma)
{
	size_t low = 0, high = p->areas.n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (p->areas.v[middle].start <= vma->start)
			low = middle + 1;
		else
			high = middle;
	}
	/* Areas extend beyond the VMAs that they were created for: the nearest one need not be the right one. */
	for (size_t tries = 0; low-- > 0 && tries < 4; tries++) {
		struct premap_area *a = &p->areas.v[low];

		if (a->end >= vma->end && premap_fits(a->vma, vma))
			return a;
	}
	return NULL;
}
