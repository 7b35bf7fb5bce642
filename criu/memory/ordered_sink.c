/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * For stores that can only be written sequentially: batches are written in order, each by the thread that has it, and at the end the
 * page map.
 */
#include <errno.h>
#include <stdlib.h>
#include "base/bits.h"
#include "base/cleanup.h"
#include "image/pagemap.h"
#include "image/writer.h"
#include "memory/kept_runs.h"
#include "memory/page_sink.h"
#include "memory/turns.h"
#include "util/array.h"
#include "util/crc32c.h"
#include "util/log.h"

ARRAY_OF(page_sums, uint32_t);

struct ordered_sink {
	struct page_sink sink;
	struct image_store *dir;
	struct pagemap_writer *map;
	struct image_writer *pages;
	struct kept_runs runs;
	struct turns turns;
	bool summed; /* --page-checksums */
	struct page_sums sums; /* of each page that was written */
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
	return page_run_flags(run) ? kept_runs_add(&ordered_of(sink)->runs, run) : 0;
}

static int add_zeros(struct page_sink *sink, uint64_t start, uint64_t end)
{
	return kept_runs_add_zeros(&ordered_of(sink)->runs, start, end);
}

static int begin(struct page_sink *sink, uint64_t bytes)
{
	return 0;
}

static int add_sums(struct ordered_sink *s, const void *pages, size_t n)
{
	if (array_reserve(&s->sums, n))
		return fail(-ENOMEM, "checksums of pages");
	crc32c_pages(pages, n, s->sums.v + s->sums.n);
	s->sums.n += n;
	return 0;
}

static int write_batch(struct page_sink *sink, const struct page_batch *batch)
{
	struct ordered_sink *s = ordered_of(sink);
	const size_t n = s->summed ? batch->len / PAGE_SZ : 0;
	int err = turns_wait(&s->turns, batch->index);

	if (err)
		return err;
	err = n ? add_sums(s, batch->data, n) : 0;
	if (!err)
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
	kept_runs_free(&s->runs);
	array_free(&s->sums);
	turns_free(&s->turns);
	free(s);
}

static int write_page_map(struct ordered_sink *s)
{
	struct page_run run;
	size_t page = 0;
	int err = 0;

	while (!err && kept_runs_next(&s->runs, UINT64_MAX, &run)) {
		const uint64_t n = (run.end - run.start) / PAGE_SZ;

		if (!page_run_has_content(&run)) {
			err = page_run_add_entry(s->map, &run);
			continue;
		}
		if (s->summed && page + n > s->sums.n)
			return fail(-EIO, "pages are missing");
		pagemap_same_as(s->map, run.same_as);
		err = pagemap_add_summed(s->map, run.start, n, page_run_flags(&run),
					 s->summed ? s->sums.v + page : NULL);
		page += n;
	}
	return dir_error(s, err ? err : pagemap_close(steal_ptr(&s->map)));
}

static int finish(struct page_sink *sink)
{
	struct ordered_sink *s = ordered_of(sink);
	int err = dir_error(s, image_close(steal_ptr(&s->pages)));

	if (!err)
		err = write_page_map(s);
	discard(sink);
	return err;
}

static const struct page_sink_ops ordered_sink_ops = {
	.add_run = add_run,
	.begin = begin,
	.add_zeros = add_zeros,
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
	*s = (struct ordered_sink){ .sink.ops = &ordered_sink_ops,
				    .dir = dump->dir,
				    .summed = dump->opts->page_checksums };
	turns_init(&s->turns);
	err = dir_error(s, pagemap_create_sequential(s->dir, type, id, &s->map, &s->pages));
	if (err)
		discard(&s->sink);
	else
		*ret_sink = &s->sink;
	return err;
}
