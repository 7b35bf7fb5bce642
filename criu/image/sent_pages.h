/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a dump has sent to a page server of the memory of a process. The page map is there; the next dump has to know which pages it
 * can leave out, and has only these images.
 */
#pragma once
#include "image/pagemap_parts.h"
#include "image/store.h"
#include "util/array.h"

struct sent_run {
	uint64_t start, end;
};
ARRAY_OF(sent_runs, struct sent_run);

/* In ascending order. 0 or -ENOMEM. */
int sent_runs_add(struct sent_runs *runs, uint64_t start, uint64_t end);
/* In the transaction of @dir, as for image_write_single(). */
int sent_pages_write(struct image_store *dir, uint64_t pid, const char *run_id, const struct sent_runs *runs);
/* As a map of runs that are PRESENT, without a source. -ENOENT: there is none of the run with this id. The text is that of @dir. */
int sent_pages_load(struct image_store *dir, uint64_t pid, const char *run_id, struct pagemap **ret_map);
