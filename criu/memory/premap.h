/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copy-on-write memory: pages that a task shares with its children are in place before it forks them.
 *
 * An area is a mapping of the tool's process that holds such pages; forked children have it, too. Each task keeps the
 * areas that fit a mapping of its own; what in them differs from its own image goes before the restorer takes over.
 */
#pragma once
#include "memory/page_source.h"
#include "memory/restore_memory.h"
#include "pie/wire.h"
#include "run/restore.h"
#include "util/array.h"

struct premap_area {
	uint64_t start, end; /* of the target's addresses that it stands for */
	uint64_t at; /* where it is; in place if it can be */
	const VmaEntry *vma; /* it stands for this one, and all that fit it (premap_fits) */
	uint64_t *loaded; /* bitmap: pages that hold something other than the mapping itself gives */
	uint64_t *as_image; /* bitmap: of these, those known to be as in the image of this process's task; NULL: none */
	bool used; /* while the list is pruned */
};
ARRAY_OF(premap_areas, struct premap_area);

/* A VMA of a task, and how far those of its children that fit reach beyond it. */
struct premap_hull {
	const VmaEntry *vma;
	uint64_t start, end;
	uint64_t *shared; /* bitmap from vma->start on: pages that a child has, too */
	bool wanted; /* a child's VMA fits */
	struct premap_area *area; /* set by premap_settle: pages of it wait there */
};

/*
 * restore_task.memory is the plan: hulls and what is wanted, read-only after link. A process works on a copy of that of
 * its task, restore_process.premap, so that it writes to nothing that lies between the records of others (util/arena.h).
 */
struct premap {
	struct premap_hull *hulls; /* sorted */
	size_t nr_hulls;
	bool wanted;
	struct premap_areas areas; /* sorted; of the process that becomes the task */
	size_t more_runs; /* so many more reads the restorer may have to do, as what does not come by reading splits them */
};

static inline bool premap_bit(const uint64_t *bits, uint64_t i)
{
	return bits[i / 64] >> i % 64 & 1;
}

static inline uint64_t run_end(const struct pagemap_run *run)
{
	return run->vaddr + run->nr_pages * PAGE_SZ;
}

/* May pages of the one be pages of the other? */
bool premap_fits(const VmaEntry *a, const VmaEntry *b);
int premap_link(struct restore *r);
/* The area whose pages are those of @vma, or NULL. */
struct premap_area *premap_find(struct premap *p, const VmaEntry *vma);

/* premap_settle.c, of restore_process.premap, which is NULL where the tree is a single task. */
/* In the task, when its children exist: leave in the areas only pages that are as in @source. */
int premap_settle(struct premap *p, const struct page_source *source, struct restorer_error *counts);
/* Where pages of this VMA wait, 0: nowhere. After premap_settle. */
uint64_t premap_address(struct premap *p, const VmaEntry *vma);
/* From @addr on, up to @end: the first page that does not wait already; and *ret_end, where one does again. */
uint64_t premap_missing(struct premap *p, uint64_t addr, uint64_t end, uint64_t *ret_end);
/* Append the ranges that must survive until the restorer moves them. Returns how many. */
size_t premap_reserved_ranges(struct premap *p, struct wire_range *ranges, size_t room);
