/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copy-on-write memory: pages that a task shares with its children are in place before it forks them. An area is a
 * mapping of the tool's process that contains such pages; forked children inherit it. Each task keeps the areas that
 * match a mapping of its own; pages in them that differ from its own image are dropped before the restorer takes over.
 */
#pragma once
#include "memory/page_source.h"
#include "memory/restore_memory.h"
#include "pie/wire.h"
#include "run/restore.h"
#include "util/array.h"

struct premap_area {
	uint64_t start, end; /* the addresses of the target that it represents */
	uint64_t at; /* where it is mapped: at its final address if possible */
	const VmaEntry *vma; /* it represents this one, and all that match it (premap_fits) */
	uint64_t *loaded; /* bitmap: pages whose content differs from a fresh mapping */
	uint64_t *
		as_image; /* bitmap: those of them that are known to be equal to the image of this process's task; NULL: none */
	bool used; /* while the list is pruned */
};
ARRAY_OF(premap_areas, struct premap_area);

/* A VMA of a task, and how far matching VMAs of its children extend beyond it. */
struct premap_hull {
	const VmaEntry *vma;
	uint64_t start, end;
	uint64_t *shared; /* bitmap from vma->start on: pages shared with a child */
	bool wanted; /* a child has a matching VMA */
	struct premap_area *area; /* set by premap_settle: pages of the VMA are staged there */
};

/*
 * restore_task.memory is the plan: hulls and their flags, read-only after link. A process works on a copy of its task's
 * plan, restore_process.premap, so that it does not write to memory between the entries of other tasks (util/arena.h).
 */
struct premap {
	struct premap_hull *hulls; /* sorted */
	size_t nr_hulls;
	bool wanted;
	struct premap_areas areas; /* sorted; for the process that becomes the task */
	const struct pagemap *map; /* of the task; NULL: not kept */
	size_t more_runs; /* how many more reads the restorer may need, as pages that are not read split the runs */
};

static inline bool premap_bit(const uint64_t *bits, uint64_t i)
{
	return bits[i / 64] >> i % 64 & 1;
}

/* Whose pages they are: of the process that has them for others, or had them when they were dumped (same_hints.c). */
static inline uint64_t premap_owner(const struct pagemap *map, const struct pagemap_run *run)
{
	return run->of_process ? run->of_process : run->same_as ? run->same_as : map->id;
}

/* Runs of two page maps of these images that overlap: are they known to be the same pages, which need not be compared? */
static inline bool premap_same_image(const struct pagemap *a, const struct pagemap_run *x, const struct pagemap *b,
				     const struct pagemap_run *y)
{
	return premap_owner(a, x) == premap_owner(b, y) && (x->flags & y->flags & PAGEMAP_PRESENT);
}

/* Can pages of one be pages of the other? */
bool premap_fits(const VmaEntry *a, const VmaEntry *b);
int premap_link(struct restore *r);
/* The area for the pages of @vma, or NULL. */
struct premap_area *premap_find(struct premap *p, const VmaEntry *vma);

/*
 * premap_stage.c: an area for @h; @fd: of the file that it maps, borrowed. -EAGAIN: there is no place for it. Moves other
 * areas.
 */
int premap_area_new(struct restore *r, struct premap *p, const struct premap_hull *h, int fd);
/* premap_settle.c, for restore_process.premap, which is NULL if the tree is a single task. */
/* May pages have been inherited? Then the source has a view. */
bool premap_inherits(const struct premap *p);
/* In the task, when its children have been forked: drops pages from the areas that differ from its own. */
int premap_settle(struct premap *p, const struct page_view *pages, struct restorer_counts *counts);
/* Where the pages of this VMA are staged, 0: nowhere. After premap_settle. */
uint64_t premap_address(struct premap *p, const VmaEntry *vma);
/* The first page from @addr on, up to @end, that is not staged; and in *ret_end, where the next staged one is. */
uint64_t premap_missing(struct premap *p, uint64_t addr, uint64_t end, uint64_t *ret_end);
/* Appends the ranges that must survive until the restorer moves them. Returns how many. */
size_t premap_reserved_ranges(struct premap *p, struct wire_range *ranges, size_t room);
