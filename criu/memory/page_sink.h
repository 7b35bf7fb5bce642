/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where a dump writes the pages of one address space or shared segment. A sink is passed all runs, then their content
 * in batches; the copying code knows nothing else about it. There are files of the images directory (image_sink.c),
 * sequential images (ordered_sink.c), compressed ones (compress_sink.c), and the connection to a page server
 * (server_sink.c); page_sink_open() chooses.
 */
#pragma once
#include <stddef.h>
#include "image/catalog.h"
#include "image/pagemap.h"
#include "memory/page_run.h"
#include "run/dump.h"

/* A part of the content of all runs, concatenated. */
struct page_batch {
	size_t index; /* from 0 on, without gaps: a sink that needs them in order waits for the previous one */
	uint64_t offset, len; /* in bytes of the content: may contain borders of runs */
	const void *data;
};

struct page_client;

struct page_sink {
	const struct page_sink_ops *ops;
};

/* 0 or a negative errno, logged. */
struct page_sink_ops {
	/* In ascending order. */
	int (*add_run)(struct page_sink *sink, const struct page_run *run);
	/* All runs have been added: at most so many bytes of content will follow. */
	int (*begin)(struct page_sink *sink, uint64_t bytes);
	/*
	 * Optional; without it, content contains all pages. [start, end), part of a run that has content, is full of zeros,
	 * and has no content: there is less than begin() was passed. In ascending order, one call at a time, before the batch
	 * that would have contained it; that one may be empty.
	 */
	int (*add_zeros)(struct page_sink *sink, uint64_t start, uint64_t end);
	/* By several threads concurrently; the batches come in roughly ascending order. */
	int (*write)(struct page_sink *sink, const struct page_batch *batch);
	/* Optional: a batch failed, and will not be written. A write() that waits for its turn returns an error. */
	void (*give_up)(struct page_sink *sink);
	/* All content has been written. Frees the sink, whatever happens. */
	int (*finish)(struct page_sink *sink);
	/* There will be no image of it. Frees the sink. */
	void (*discard)(struct page_sink *sink);
};

/* open_sink.c; @type is IMAGE_PAGEMAP or IMAGE_SHMEM_PAGEMAP. */
int page_sink_open(struct dump *dump, enum image_type type, uint64_t id, struct page_sink **ret_sink);
/* server_sink.c */
int server_sink_open(struct dump *dump, enum image_type type, uint64_t id, struct page_sink **ret_sink);
/* image_sink.c */
int image_sink_open(struct dump *dump, enum image_type type, uint64_t id, struct page_sink **ret_sink);

/* record_sink.c: *@sink becomes one that also notes what is sent of this process. */
int record_sink_open(struct dump *dump, uint64_t pid, struct page_sink **sink);
/* compress_sink.c */
int compress_sink_open(struct dump *dump, enum image_type type, uint64_t id, struct page_sink **ret_sink);
/* ordered_sink.c */
int ordered_sink_open(struct dump *dump, enum image_type type, uint64_t id, struct page_sink **ret_sink);

/* Flags of its entry in a page map; 0: it has none. */
static inline uint32_t page_run_flags(const struct page_run *run)
{
	if (page_run_has_content(run))
		return PAGEMAP_PRESENT | (run->may_be_lazy ? PAGEMAP_LAZY : 0);
	if (run->outcome == PAGES_SAME)
		return PAGEMAP_PARENT | (run->may_be_lazy ? PAGEMAP_LAZY : 0);
	return run->outcome == PAGES_PARENT ? PAGEMAP_PARENT : run->outcome == PAGES_LAZY ? PAGEMAP_LAZY : 0;
}

/* The entry of a run without content, if it has one: as pagemap_add(). */
static inline int page_run_add_entry(struct pagemap_writer *map, const struct page_run *run)
{
	uint64_t nr_pages = (run->end - run->start) / PAGE_SZ;

	if (run->outcome == PAGES_SAME)
		return pagemap_add_of_process(map, run->start, nr_pages, page_run_flags(run), run->same_as);
	return page_run_flags(run) ? pagemap_add(map, run->start, nr_pages, page_run_flags(run)) : 0;
}

/* The last operation; *@sink is NULL afterwards. */
static inline int page_sink_finish(struct page_sink **sink)
{
	struct page_sink *done = *sink;

	*sink = NULL;
	return done->ops->finish(done);
}

static inline void cleanup_page_sink(struct page_sink **sink)
{
	if (*sink)
		(*sink)->ops->discard(*sink);
}
#define _cleanup_page_sink_ __attribute__((cleanup(cleanup_page_sink)))
