/* SPDX-License-Identifier: GPL-2.0-only */
#include "memory/dump_memory.h"
#include <errno.h>
#include "memory/copy_pages.h"
#include "memory/memory.h"
#include "memory/tracking.h"
#include "util/hash.h"

int memory_dump_begin(struct dump *dump)
{
	dump->memory = dump_alloc(dump, sizeof(*dump->memory));
	if (!dump->memory)
		return -ENOMEM;
	dump->memory->tracking = dump_alloc(dump, sizeof(*dump->memory->tracking));
	if (!dump->memory->tracking)
		return -ENOMEM;
	dump->memory->tracking->own = OWN_TRACKER_NONE;
	return 0;
}

int memory_task_begin(struct dump *dump, struct dump_task *dt)
{
	dt->memory = dump_alloc(dump, sizeof(*dt->memory));
	return dt->memory ? 0 : -ENOMEM;
}

void memory_task_end(struct dump_task *dt)
{
	array_free(&dt->memory->policies);
	array_free(&dt->memory->pages);
	array_free(&dt->memory->guards);
	array_free(&dt->memory->same);
	array_free(&dt->memory->excluded);
	memory_drop_snapshot(dt);
	track_forget(dt);
}

void memory_dump_end(struct dump *dump)
{
	struct memory_dump *memory = dump->memory;

	track_end(dump);
	segments_close(memory);
	page_buffer_free(&memory->page_buffer);
	hash_free(&memory->mapped_ids);
	hash_free(&memory->segments);
	hash_free(&memory->segments_saved);
	hash_free(&memory->shmids);
	hash_free(&memory->shmids_taken);
	hash_free(&memory->huge_files);
}
