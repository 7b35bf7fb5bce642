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
