// SPDX-License-Identifier: GPL-2.0-only
#include "inspect/contents.h"

void contents_free(struct contents *c)
{
	for (size_t i = 0; i < c->nr_tasks; i++)
		array_free(&c->tasks[i].fds);
	hash_free(&c->task_by_pid);
	hash_free(&c->file_by_id);
	hash_free(&c->tty_by_id);
	hash_free(&c->memfd_by_id);
	array_free(&c->problems);
	arena_free(&c->arena);
}

const FileEntry *contents_file(const struct contents *c, uint32_t id)
{
	return hash_get_ptr(&c->file_by_id, id);
}

const char *shown_state_text(enum shown_state state)
{
	static const char *const texts[] = {
		[SHOWN_UNKNOWN] = "unknown",
		[SHOWN_RUNNING] = "running",
		[SHOWN_ZOMBIE] = "zombie",
		[SHOWN_STOPPED] = "stopped",
	};

	return texts[state];
}
