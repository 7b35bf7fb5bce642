/* SPDX-License-Identifier: GPL-2.0-only */
#include "memory/dump_memory.h"
#include <errno.h>
#include "memory/copy_pages.h"
#include "memory/memory.h"
#include "util/hash.h"

int memory_dump_begin(struct dump *dump)
{
	dump->memory = dump_alloc(dump, sizeof(*dump->memory));
	return dump->memory ? 0 : -ENOMEM;
}

void memory_dump_end(struct dump *dump)
{
	struct memory_dump *memory = dump->memory;

	segments_close(memory);
	page_buffer_free(&memory->page_buffer);
	hash_free(&memory->mapped_ids);
	hash_free(&memory->segments);
	hash_free(&memory->segments_saved);
	hash_free(&memory->shmids);
	hash_free(&memory->shmids_taken);
	hash_free(&memory->huge_files);
}
