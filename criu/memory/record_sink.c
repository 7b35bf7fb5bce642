/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Around the sink of a stream or a page server: notes which pages of a process are sent (image/sent_pages.h), for the next dump, which
 * can leave them out. Those are only in the images that the receiver has.
 */
#include <errno.h>
#include <stdlib.h>
#include "base/bits.h"
#include "image/sent_pages.h"
#include "memory/kept_runs.h"
#include "memory/page_sink.h"
#include "util/log.h"

struct record_sink {
	struct page_sink sink;
	struct page_sink *to;
	struct dump *dump;
	uint64_t pid;
	struct kept_runs runs;
};

static struct record_sink *record_of(struct page_sink *sink)
{
	return container_of(sink, struct record_sink, sink);
}

static int add_run(struct page_sink *sink, const struct page_run *run)
{
	struct record_sink *s = record_of(sink);
	const bool there = page_run_has_content(run) || run->outcome == PAGES_PARENT;
	int err = there ? kept_runs_add(&s->runs, run) : 0;

	return err ? err : s->to->ops->add_run(s->to, run);
}

static int begin(struct page_sink *sink, uint64_t bytes)
{
	struct record_sink *s = record_of(sink);

	return s->to->ops->begin(s->to, bytes);
}

static int add_zeros(struct page_sink *sink, uint64_t start, uint64_t end)
{
	struct record_sink *s = record_of(sink);
	int err = kept_runs_add_zeros(&s->runs, start, end);

	return err ? err : s->to->ops->add_zeros(s->to, start, end);
}

static int write_batch(struct page_sink *sink, const struct page_batch *batch)
{
	struct record_sink *s = record_of(sink);

	return s->to->ops->write(s->to, batch);
}

static void give_up(struct page_sink *sink)
{
	struct record_sink *s = record_of(sink);

	if (s->to->ops->give_up)
		s->to->ops->give_up(s->to);
}

static void discard(struct page_sink *sink)
{
	struct record_sink *s = record_of(sink);

	cleanup_page_sink(&s->to);
	kept_runs_free(&s->runs);
	free(s);
}

static int write_record(struct record_sink *s)
{
	const bool by_stream = s->dump->record;
	struct sent_pages sent = { .run_id = s->dump->run_id, .by_stream = by_stream };
	struct image_store *to = by_stream ? s->dump->record : s->dump->dir;
	struct page_run run;
	int err = 0;

	while (!err && kept_runs_next(&s->runs, UINT64_MAX, &run))
		err = sent_runs_add(&sent.runs, run.start, run.end);
	err = err ? fail(err, "list of pages") : sent_pages_write(to, s->pid, &sent);
	array_free(&sent.runs);
	return err < 0 ? fail(err, "%s", image_store_error(to)) : 0;
}

static int finish(struct page_sink *sink)
{
	struct record_sink *s = record_of(sink);
	int err = page_sink_finish(&s->to);

	if (!err)
		err = write_record(s);
	discard(sink);
	return err;
}

static const struct page_sink_ops record_sink_ops = {
	.add_run = add_run,
	.begin = begin,
	.add_zeros = add_zeros,
	.write = write_batch,
	.give_up = give_up,
	.finish = finish,
	.discard = discard,
};
/* Around a sink that takes zeros as content. */
static const struct page_sink_ops zeros_are_content_ops = {
	.add_run = add_run,
	.begin = begin,
	.write = write_batch,
	.give_up = give_up,
	.finish = finish,
	.discard = discard,
};

int record_sink_open(struct dump *dump, uint64_t pid, struct page_sink **sink)
{
	struct record_sink *s = calloc(1, sizeof(*s));

	if (!s)
		return fail(-ENOMEM, "list of pages");
	*s = (struct record_sink){ .sink.ops = (*sink)->ops->add_zeros ? &record_sink_ops : &zeros_are_content_ops,
				   .to = *sink,
				   .dump = dump,
				   .pid = pid };
	*sink = &s->sink;
	return 0;
}
