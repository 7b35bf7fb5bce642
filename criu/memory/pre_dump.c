/* SPDX-License-Identifier: GPL-2.0-only */
/* What a pre-dump saves of a process: pages of mappings that are tracked from now on. Others would be saved again anyway. */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include "base/bits.h"
#include "memory/dump_memory.h"
#include "memory/memory.h"
#include "memory/tracking.h"
#include "pie/vma.h"
#include "util/fds.h"
#include "util/log.h"

static void fill(VmaEntry *e, const struct kernel_vma *v)
{
	bool is_file = v->ino || v->dev_major || v->dev_minor;

	vma_entry__init(e);
	e->start = v->start;
	e->end = v->end;
	e->fd = -1;
	e->prot = v->prot;
	e->flags = MAP_PRIVATE | (is_file ? 0 : MAP_ANONYMOUS);
	e->status = VMA_REGULAR | (is_file ? VMA_FILE_PRIVATE : VMA_ANON_PRIVATE);
}

/* Pages that count as written next time, too, whatever happens. */
static void drop_written(struct dump_task *dt)
{
	size_t n = 0;

	for (size_t i = 0; i < dt->memory->pages.n; i++)
		if (dt->memory->pages.v[i].categories & PAGES_UNCHANGED)
			dt->memory->pages.v[n++] = dt->memory->pages.v[i];
	dt->memory->pages.n = n;
}

/* While it is stopped: later its pid may have other memory. */
static int open_memory(struct dump_task *dt)
{
	int err = page_scan_open(&dt->proc, &dt->memory->track->scan);

	if (!err)
		dt->memory->track->mem = open_at(dt->proc.dir, "mem", O_RDONLY, 0);
	err = err ? err : MIN_OF(dt->memory->track->mem, 0);
	return err ? fail(err, "open the memory of the process") : 0;
}

int memory_pre_dump_mm(struct dump *dump, struct dump_task *dt, MmEntry **ret_mm)
{
	MmEntry *mm = dump_alloc(dump, sizeof(*mm));
	VmaEntry *entries = dump_alloc(dump, (dt->maps.n + 1) * sizeof(*entries));
	int err = mm && entries ? memory_scan_pages(dump, dt) : fail(-ENOMEM, "mappings");

	if (err)
		return err;
	mm_entry__init(mm);
	mm->vmas = dump_alloc(dump, (dt->maps.n + 1) * sizeof(*mm->vmas));
	if (!mm->vmas)
		return fail(-ENOMEM, "mappings");
	for (size_t i = 0; i < dt->maps.n; i++) {
		if (track_area_of(dt, i) == AREA_UNTRACKED)
			continue;
		mm->vmas[mm->n_vmas] = &entries[mm->n_vmas];
		fill(&entries[mm->n_vmas++], &dt->maps.v[i]);
	}
	if (dt->memory->track && dt->memory->track->must_not_arm) {
		log_info(
			"memory that has been written is not tracked: the kernel may be writing to it (asynchronous I/O)");
		drop_written(dt);
	}
	*ret_mm = mm;
	return open_memory(dt);
}
