/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which dump do the page maps of a directory belong to? A page server's directory has no inventory, or that of the dump which it
 * was put together with, or one that an older dump has left. So this is decided for each page map, by its content.
 */
#pragma once
#include <stdbool.h>
#include "image/checksums.h"

struct page_map_runs {
	struct image_store *dir; /* borrowed */
	struct checksums server, own; /* checksums-pages.img and checksums.img: what the page map has to be */
	bool has_own;
	char run_id[UUID_SIZE]; /* of the inventory; "": there is none, or it does not say */
};

/* 0 or a negative errno; the text is that of @dir. */
int page_map_runs_read(struct image_store *dir, struct page_map_runs *ret);
void page_map_runs_free(struct page_map_runs *runs);
/* *ret: the page map exists, and may be one of the dump @run_id. False: it is certainly one of another. */
int page_map_runs_match(const struct page_map_runs *runs, enum image_type type, uint64_t id, const char *run_id,
			bool *ret);
/* *ret: the page map exists, and is what it was when the checksum was written. */
int page_map_is_as_summed(struct image_store *dir, const struct checksum *sum, bool *ret);
