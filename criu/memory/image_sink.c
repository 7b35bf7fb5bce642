/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Pages are written to the images directory: runs to a page map, content to its pages image, each batch to its own
 * offset.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>
#include "base/bits.h"
#include "base/cleanup.h"
#include "image/pagemap.h"
#include "memory/page_sink.h"
#include "util/fds.h"
#include "util/log.h"

/* Reserving space for less takes as long as writing it. */
#define WORTH_RESERVING (512ul << 10)

struct image_sink {
	struct page_sink sink;
	struct image_store *dir;
	struct pagemap_writer *map;
	struct image_extent pages; /* the content starts at its base */
};

static struct image_sink *image_sink_of(struct page_sink *sink)
{
	return container_of(sink, struct image_sink, sink);
}

static int dir_error(const struct image_sink *s, int err)
{
	return err < 0 ? fail(err, "%s", image_store_error(s->dir)) : 0;
}

static int add_run(struct page_sink *sink, const struct page_run *run)
{
	struct image_sink *s = image_sink_of(sink);
	uint32_t flags = 0;

	if (page_run_has_content(run))
		flags = PAGEMAP_PRESENT | (run->may_be_lazy ? PAGEMAP_LAZY : 0);
	else if (run->outcome == PAGES_PARENT)
		flags = PAGEMAP_PARENT;
	return flags ? dir_error(s, pagemap_add(s->map, run->start, (run->end - run->start) / PAGE_SZ, flags)) : 0;
}

/* Reserves all space at once: cheaper than piece by piece, and a full disk is detected before copying. */
static int begin(struct page_sink *sink, uint64_t bytes)
{
	struct image_sink *s = image_sink_of(sink);

	if (bytes > WORTH_RESERVING && fallocate(s->pages.fd, 0, (off_t)s->pages.base, (off_t)bytes) < 0 &&
	    errno != EOPNOTSUPP)
		return fail(-errno, "space for %lu bytes of memory in the images directory", bytes);
	return 0;
}

static int write_batch(struct page_sink *sink, const struct page_batch *batch)
{
	const struct image_extent *pages = &image_sink_of(sink)->pages;
	int err = pwrite_full(pages->fd, batch->data, batch->len, (off_t)(pages->base + batch->offset));

	return err < 0 ? fail(err, "write the pages image") : 0;
}

static void discard(struct page_sink *sink)
{
	struct image_sink *s = image_sink_of(sink);

	pagemap_discard(s->map);
	cleanup_close(&s->pages.fd);
	free(s);
}

static int finish(struct page_sink *sink)
{
	struct image_sink *s = image_sink_of(sink);
	int err = dir_error(s, pagemap_close(steal_ptr(&s->map)));

	discard(sink);
	return err;
}

static const struct page_sink_ops image_sink_ops = {
	.add_run = add_run,
	.begin = begin,
	.write = write_batch,
	.finish = finish,
	.discard = discard,
};

int image_sink_open(struct dump *dump, enum image_type type, uint64_t id, struct page_sink **ret_sink)
{
	struct image_sink *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return fail(-ENOMEM, "pages image");
	*s = (struct image_sink){ .sink.ops = &image_sink_ops, .dir = dump->dir, .pages.fd = -1 };
	err = dir_error(s, pagemap_create(s->dir, type, id, &s->map, &s->pages));
	if (err)
		discard(&s->sink);
	else
		*ret_sink = &s->sink;
	return err;
}
