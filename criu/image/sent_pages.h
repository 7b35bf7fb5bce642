/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a dump has sent of the memory of a process, to a page server or in a stream. The page map is there; the next dump has to know which pages it
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

struct sent_pages {
	const char *run_id; /* of the dump that has sent them */
	bool by_stream; /* not to a page server */
	struct sent_runs runs;
};

/* In ascending order. 0 or -ENOMEM. */
int sent_runs_add(struct sent_runs *runs, uint64_t start, uint64_t end);
/* In the transaction of @dir, as for image_write_single(). */
int sent_pages_write(struct image_store *dir, uint64_t pid, const struct sent_pages *sent);
/*
 * As a map of runs that are PRESENT, without a source. @wanted: its runs are not used. -ENOENT: there is none of the run with this id;
 * -EBADMSG: they were sent the other way. The text is that of @dir.
 */
int sent_pages_load(struct image_store *dir, uint64_t pid, const struct sent_pages *wanted, struct pagemap **ret_map);
