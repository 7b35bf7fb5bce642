/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The images that a page server writes: page maps and pages, one at a time. They have no names until all are complete.
 * Errors are negative errnos that have been logged.
 */
#pragma once
#include <stdbool.h>
#include "image/catalog.h"
#include "image/page_map_runs.h"
#include "image/pagemap.h"
#include "image/store.h"
#include "util/hash.h"

struct images {
	struct image_store *store;
	/* The one that is open; NULL: none. */
	struct pagemap_writer *map;
	struct image_extent pages;
	enum image_type type;
	uint64_t id;
	uint64_t bytes; /* of pages so far */
	struct hash received; /* key_of() -> id of its pages image */
	uint32_t last_pages_id;
	struct page_map_runs parent_runs; /* whose page maps the parent has */
	bool knows_parent_runs;
	bool knows_chain; /* of parents: it is no loop */
	struct pagemap *parent; /* the same pages in the parent; NULL: not needed yet */
	uint64_t nr_pages; /* of all images, with those in the parent */
};

/* @parent: path of the previous images, relative to @dir; NULL: none, or those that are already referred to. */
int images_begin(struct images *images, int dir, const char *parent);
/* Removes what was not committed. */
void images_free(struct images *images);

/* Ends the image that is open. @replace: one that was received already is replaced; otherwise that is an error. */
int images_open(struct images *images, enum image_type type, uint64_t id, bool replace);
bool images_is_open(const struct images *images, enum image_type type, uint64_t id);
enum images_parent { IMAGES_LACK, IMAGES_HAVE, IMAGES_OTHER };
/* Has the parent directory this page map? Without a parent: no. */
int images_in_parent(struct images *images, enum image_type type, uint64_t id, enum images_parent *ret);
/* The same, if it is of the dump @run; of another one: IMAGES_OTHER. */
int images_parent_of(struct images *images, enum image_type type, uint64_t id, const struct uuid *run,
		     enum images_parent *ret);
/* The dump that these images are of. */
void images_set_run(struct images *images, const struct uuid *run);
/* A run of the image that is open; with PRESENT, its content follows by images_write(). */
int images_add_run(struct images *images, uint64_t vaddr, uint64_t nr_pages, uint32_t flags);
/* Instead, after the content: PRESENT pages with a checksum for each. */
int images_add_summed(struct images *images, uint64_t vaddr, uint64_t nr_pages, uint32_t flags, const uint32_t *sums);
int images_write(struct images *images, const void *data, size_t len);
/* All images get their names. They can be removed again until images_commit(), which cannot fail. */
int images_publish(struct images *images);
void images_commit(struct images *images);
/* Frees the space of the pages in the parents that these images have themselves. Only after the commit; an error is only a warning. */
void images_dedup(struct images *images);
