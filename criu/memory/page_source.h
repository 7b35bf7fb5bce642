/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where a restore gets the pages of one address space or shared segment from. Pages come in one of two ways:
 *
 * - direct: they are stored uncompressed in a file, and are read from a descriptor at an offset, also by the restorer.
 * - fed: they have to be supplied by a connection or a decompressor. They are in memory before the restorer needs them,
 *   in a mapping that it only moves (wire_vma.staged), like pages inherited by fork.
 *
 * That is all that the restorer has to know. Images are direct (image_source.c), except for compressed pages. Another source would be another set of
 * operations, chosen by page_source_open().
 */
#pragma once
#include "image/pagemap.h"
#include "memory/page_view.h"
#include "run/restore.h"

struct page_place {
	int fd; /* borrowed */
	uint64_t offset;
};

struct page_source {
	const struct page_source_ops *ops;
	struct pagemap *map; /* which pages it has; owned by the source */
	const struct page_view *view; /* the caller's, while it has one; otherwise NULL */
};

/* @run is one of @source's, PRESENT, and contains [addr, addr + len). */
struct page_source_ops {
	/* Reads content into our memory. A negative errno, not logged. */
	int (*read)(const struct page_source *source, const struct pagemap_run *run, uint64_t addr, void *to,
		    uint64_t len);
	/* Optional: the location of the pages from @addr on. False: they have to be fed. */
	bool (*direct)(const struct page_source *source, const struct pagemap_run *run, uint64_t addr,
		       struct page_place *ret_place);
	/* Optional: all of the content at once; tasks share no pages without it. 0 or a negative errno, logged. */
	int (*view)(const struct page_source *source, struct page_view *ret_view);
	/* Moves the descriptors of direct pages to @min or above, for the restorer. */
	int (*move_fds)(struct page_source *source, int min);
	void (*close)(struct page_source *source);
};

/*
 * open_source.c; @type is IMAGE_PAGEMAP or IMAGE_SHMEM_PAGEMAP. -ENOENT, not logged: there are no such pages. Other errors
 * are logged.
 */
int page_source_open(struct restore *r, enum image_type type, uint64_t id, struct page_source **ret_source);
/* For the private memory of a task: it must exist. Its page map is read once, if possible (restore_task.pagemap). */
int page_source_open_task(struct restore *r, const struct restore_task *rt, struct page_source **ret_source);
/* Frees the buffers of this thread. */
void page_source_end_thread(void);
/* image_source.c; @kept: pagemap_keep() */
int image_source_reopen(struct image_store *dir, const struct pagemap *kept, struct page_source **ret_source);
int image_source_open(struct image_store *dir, enum image_type type, uint64_t id, struct page_source **ret_source);

static inline bool page_source_direct(const struct page_source *source, const struct pagemap_run *run, uint64_t addr,
				      struct page_place *ret_place)
{
	return source->ops->direct && source->ops->direct(source, run, addr, ret_place);
}

static inline void cleanup_page_source(struct page_source **source)
{
	if (*source)
		(*source)->ops->close(*source);
}
#define _cleanup_page_source_ __attribute__((cleanup(cleanup_page_source)))
