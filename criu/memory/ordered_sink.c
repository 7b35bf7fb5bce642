/* SPDX-License-Identifier: GPL-2.0-only */
/* For stores that can only be written sequentially: batches are written in order, each by the thread that has it. */
#include <errno.h>
#include <stdlib.h>
#include "base/bits.h"
#include "base/cleanup.h"
#include "image/pagemap.h"
#include "image/writer.h"
#include "memory/page_sink.h"
#include "memory/turns.h"
#include "util/log.h"

struct ordered_sink {
	struct page_sink sink;
	struct image_store *dir;
	struct pagemap_writer *map;
	struct image_writer *pages;
	struct turns turns;
};

static struct ordered_sink *ordered_of(struct page_sink *sink)
{
	return container_of(sink, struct ordered_sink, sink);
}

static int dir_error(const struct ordered_sink *s, int err)
{
	return err < 0 ? fail(err, "%s", image_store_error(s->dir)) : 0;
}

static int add_run(struct page_sink *sink, const struct page_run *run)
{
	struct ordered_sink *s = ordered_of(sink);
	uint32_t flags = page_run_flags(run);

	return flags ? dir_error(s, pagemap_add(s->map, run->start, (run->end - run->start) / PAGE_SZ, flags)) : 0;
}

static int begin(struct page_sink *sink, uint64_t bytes)
{
	return 0;
}

static int write_batch(struct page_sink *sink, const struct page_batch *batch)
{
	struct ordered_sink *s = ordered_of(sink);
	int err = turns_wait(&s->turns, batch->index);

	if (err)
		return err;
	err = dir_error(s, image_write_raw(s->pages, batch->data, batch->len));
	if (!err)
		turns_end(&s->turns);
	return err;
}

static void give_up(struct page_sink *sink)
{
	turns_give_up(&ordered_of(sink)->turns);
}

static void discard(struct page_sink *sink)
{
	struct ordered_sink *s = ordered_of(sink);

	pagemap_discard(s->map);
	image_discard(s->pages);
	turns_free(&s->turns);
	free(s);
}

static int finish(struct page_sink *sink)
{
	struct ordered_sink *s = ordered_of(sink);
	int err = dir_error(s, image_close(steal_ptr(&s->pages)));

	if (!err)
		err = dir_error(s, pagemap_close(steal_ptr(&s->map)));
	discard(sink);
	return err;
}

static const struct page_sink_ops ordered_sink_ops = {
	.add_run = add_run,
	.begin = begin,
	.write = write_batch,
	.give_up = give_up,
	.finish = finish,
	.discard = discard,
};

int ordered_sink_open(struct dump *dump, enum image_type type, uint64_t id, struct page_sink **ret_sink)
{
	struct ordered_sink *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return fail(-ENOMEM, "pages image");
	*s = (struct ordered_sink){ .sink.ops = &ordered_sink_ops, .dir = dump->dir };
	turns_init(&s->turns);
	err = dir_error(s, pagemap_create_sequential(s->dir, type, id, &s->map, &s->pages));
	if (err)
		discard(&s->sink);
	else
		*ret_sink = &s->sink;
	return err;
}
