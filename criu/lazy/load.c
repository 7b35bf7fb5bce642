// SPDX-License-Identifier: GPL-2.0-only
/* What has to be supplied: the same runs of pages that a lazy restore leaves out (memory/lazy.h). */
#include <errno.h>
#include <stdlib.h>
#include "base/bits.h"
#include "base/cleanup.h"
#include "image/pagemap.h"
#include "image/reader.h"
#include "lazy/load.h"
#include "memory/lazy.h"
#include "memory/lazy_rule.h"
#include "mm.pb-c.h"
#include "pstree.pb-c.h"
#include "util/log.h"

static int add_run(struct lazy_space *space, const MmEntry *mm, const struct pagemap *map,
		   const struct pagemap_run *run, size_t *vma)
{
	uint64_t end = run->vaddr + run->nr_pages * PAGE_SZ;
	bool present = run->flags & PAGEMAP_PRESENT;
	int fd = present ? pagemap_source(map, run) : -1;

	if (!(run->flags & PAGEMAP_LAZY))
		return 0;
	for (; *vma < mm->n_vmas && mm->vmas[*vma]->start < end; ++*vma) {
		const VmaEntry *v = mm->vmas[*vma];
		uint64_t from = MAX_OF(v->start, run->vaddr), to = MIN_OF(v->end, end);
		int err = 0;

		if (from < to && memory_vma_may_be_lazy(v))
			err = space_add(space, from, to, fd, present ? run->offset + (from - run->vaddr) : from);
		if (err)
			return err;
		if (v->end > end)
			break;
	}
	return 0;
}

/* The descriptors of @map stay open: the ranges refer to them. */
static int add_runs(struct lazy_space *space, const MmEntry *mm, const struct pagemap *map)
{
	size_t vma = 0;
	int err = 0;

	for (size_t i = 0; !err && i < map->nr_runs; i++)
		err = add_run(space, mm, map, &map->runs[i], &vma);
	return err ? err : space_begin(space);
}

static int load_space(struct lazy_daemon *d, struct image_store *dir, pid_t pid)
{
	_cleanup_record_ MmEntry *mm = NULL;
	struct pagemap *map = NULL;
	struct lazy_space *space;
	int err = image_read_single(dir, IMAGE_MM, (uint64_t)pid, &mm);

	/* It is dead, or shares the memory of another one. */
	if (err == -ENOENT)
		return 0;
	if (!err)
		err = pagemap_load(dir, IMAGE_PAGEMAP, (uint64_t)pid, &map);
	if (err)
		return fail(err, "%s", image_store_error(dir));
	if (map->has_blocks) {
		pagemap_free(map);
		return fail(-EOPNOTSUPP, "pagemap-%d.img: lazy pages of compressed images are not supported", pid);
	}
	space = space_new(pid);
	err = space ? add_runs(space, mm, map) : -ENOMEM;
	if (!err)
		err = lazy_sums_add(&d->sums, map);
	if (err) {
		space_free(space);
		return fail(err, "pages of process %d", pid);
	}
	space->next = d->spaces;
	d->spaces = space;
	return 0;
}

int lazy_load(struct lazy_daemon *d, struct image_store *dir)
{
	_cleanup_image_reader_ struct image_reader *img = NULL;
	PstreeEntry *entry;
	size_t tasks = 0;
	int err = image_open(dir, IMAGE_PSTREE, 0, &img), got;

	if (err)
		return fail(err, "%s", image_store_error(dir));
	while (!err && (got = image_read_record(img, &pstree_entry__descriptor, &entry)) == 1) {
		err = load_space(d, dir, (pid_t)entry->pid);
		image_free_record(entry);
		tasks++;
	}
	if (err)
		return err;
	if (got < 0)
		return fail(got, "%s", image_error(img));
	lazy_sums_sort(&d->sums);
	d->journal = journal_new(tasks);
	return d->journal ? 0 : fail(-ENOMEM, "journal of lazy pages");
}
