/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where the pages of one address space or shared segment go at a dump. A sink is given all runs, then their content in
 * batches; whoever copies knows nothing else of it. There is one today: files of the images directory (image_sink.c). A
 * connection to a page server, a compressor or a stream is another set of operations, which page_sink_open() chooses.
 */
#pragma once
#include <stddef.h>
#include "image/catalog.h"
#include "memory/page_run.h"
#include "run/dump.h"

/* A part of the content of all runs, one after another. */
struct page_batch {
	size_t index; /* from 0 on, without gaps: a sink that needs them in order waits for the one before */
	uint64_t offset, len; /* bytes of the content: run borders may lie within */
	const void *data;
};

struct page_sink {
	const struct page_sink_ops *ops;
};

/* 0 or a negative errno, logged. */
struct page_sink_ops {
	/* In rising order. */
	int (*add_run)(struct page_sink *sink, const struct page_run *run);
	/* All runs are known: so many bytes of content will come. */
	int (*begin)(struct page_sink *sink, uint64_t bytes);
	/* By several threads at a time; the batches come in about rising order. */
	int (*write)(struct page_sink *sink, const struct page_batch *batch);
	/* Optional: a batch failed, and does not come. Who waits in write() for its turn returns an error. */
	void (*give_up)(struct page_sink *sink);
	/* All content has been written. Frees the sink, whatever happens. */
	int (*finish)(struct page_sink *sink);
	/* There will be no image of it. Frees the sink. */
	void (*discard)(struct page_sink *sink);
};

/* open_sink.c; @type is IMAGE_PAGEMAP or IMAGE_SHMEM_PAGEMAP. */
int page_sink_open(struct dump *dump, enum image_type type, uint64_t id, struct page_sink **ret_sink);
/* image_sink.c */
int image_sink_open(struct dump *dump, enum image_type type, uint64_t id, struct page_sink **ret_sink);

/* The last thing that is done with it; *@sink is NULL afterwards. */
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
