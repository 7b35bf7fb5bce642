/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Pages are compressed in blocks, by the threads that copy them, and written in order to a pages image. Blocks do not
 * cross the borders of batches; the entries of the page map are written at the end, when their sizes are known.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/bits.h"
#include "base/cleanup.h"
#include "image/pagemap.h"
#include "image/writer.h"
#include "memory/codec.h"
#include "memory/page_sink.h"
#include "memory/turns.h"
#include "util/array.h"
#include "util/crc32c.h"
#include "util/log.h"

ARRAY_OF(block_sizes, uint32_t);

struct content_run {
	struct page_run run;
	uint64_t offset; /* of its pages in the content of all runs; of a run without content, where it would be */
};
ARRAY_OF(content_runs, struct content_run);

/* A part of a run; its blocks in compress_sink.sizes. */
struct entry {
	uint64_t start, pages;
	uint32_t flags;
	uint32_t same_as;
	size_t first, nr;
	uint64_t total;
	bool plain; /* no block is compressed */
};
ARRAY_OF(entries, struct entry);

/* What a thread needs for one batch. */
struct workspace {
	struct workspace *next;
	struct encoder *encoder;
	char *out;
	size_t room, used;
	struct {
		const void *data;
		size_t len;
	} * parts; /* what is written */
	size_t nr_parts, cap_parts;
	struct entries entries;
	struct block_sizes sizes, sums;
};

struct compress_sink {
	struct page_sink sink;
	struct image_store *dir;
	struct pagemap_writer *map;
	struct image_writer *pages;
	enum pagemap_codec codec;
	int acceleration;
	uint64_t block; /* bytes */
	struct content_runs runs;
	uint64_t bytes;
	struct turns turns; /* its lock is also that of: */
	struct workspace *unused;
	/* Changed by whose turn it is. */
	struct entries entries;
	struct block_sizes sizes, sums; /* of each block */
};

static struct compress_sink *compress_of(struct page_sink *sink)
{
	return container_of(sink, struct compress_sink, sink);
}

static int dir_error(const struct compress_sink *s, int err)
{
	return err < 0 ? fail(err, "%s", image_store_error(s->dir)) : 0;
}

static int add_run(struct page_sink *sink, const struct page_run *run)
{
	struct compress_sink *s = compress_of(sink);
	struct content_run add = { *run, s->bytes };

	if (!page_run_flags(run))
		return 0;
	if (page_run_has_content(run))
		s->bytes += run->end - run->start;
	return array_add(&s->runs, add) ? fail(-ENOMEM, "list of pages") : 0;
}

static int begin(struct page_sink *sink, uint64_t bytes)
{
	return bytes == compress_of(sink)->bytes ? 0 : fail(-EINVAL, "%lu bytes of pages", bytes);
}

/* ---- one batch ---- */

static void workspace_free(struct workspace *w)
{
	if (!w)
		return;
	encoder_free(w->encoder);
	free(w->out);
	free(w->parts);
	array_free(&w->entries);
	array_free(&w->sizes);
	array_free(&w->sums);
	free(w);
}

static struct workspace *take_workspace(struct compress_sink *s)
{
	struct workspace *w;

	pthread_mutex_lock(&s->turns.lock);
	w = s->unused;
	if (w)
		s->unused = w->next;
	pthread_mutex_unlock(&s->turns.lock);
	if (w)
		return w;
	w = calloc(1, sizeof(*w));
	if (w)
		w->encoder = encoder_new(s->codec, s->acceleration);
	if (w && w->encoder)
		return w;
	workspace_free(w);
	return NULL;
}

static void return_workspace(struct compress_sink *s, struct workspace *w)
{
	pthread_mutex_lock(&s->turns.lock);
	w->next = s->unused;
	s->unused = w;
	pthread_mutex_unlock(&s->turns.lock);
}

static int begin_batch(struct workspace *w, uint64_t len)
{
	w->used = w->nr_parts = 0;
	w->entries.n = w->sizes.n = w->sums.n = 0;
	if (w->room < len) {
		free(w->out);
		w->out = malloc(len);
		w->room = w->out ? len : 0;
	}
	return w->room ? 0 : -ENOMEM;
}

static int add_part(struct workspace *w, const void *data, size_t len)
{
	if (w->nr_parts && (const char *)w->parts[w->nr_parts - 1].data + w->parts[w->nr_parts - 1].len == data) {
		w->parts[w->nr_parts - 1].len += len;
		return 0;
	}
	if (w->nr_parts == w->cap_parts) {
		size_t cap = w->cap_parts ? 2 * w->cap_parts : 16;
		void *grown = reallocarray(w->parts, cap, sizeof(*w->parts));

		if (!grown)
			return -ENOMEM;
		w->parts = grown;
		w->cap_parts = cap;
	}
	w->parts[w->nr_parts].data = data;
	w->parts[w->nr_parts++].len = len;
	return 0;
}

static bool all_zero(const char *data, size_t len)
{
	return !*(const uint64_t *)data && !memcmp(data, data + 8, len - 8);
}

/* As the format has it, a block that shrinks by less than an eighth is stored as it is. */
static int add_block(struct workspace *w, const char *data, size_t len, bool plain)
{
	const void *payload = data;
	size_t size = 0;
	int err = 0;

	if (plain || !all_zero(data, len)) {
		if (!plain)
			size = encoder_run(w->encoder, data, len, w->out + w->used, len / 8 * 7 - 1);
		payload = size ? w->out + w->used : data;
		w->used += size;
		size = size ? size : len;
		err = add_part(w, payload, size);
	}
	if (err || array_add(&w->sizes, (uint32_t)size) || array_add(&w->sums, plain ? 0 : crc32c(0, payload, size)))
		return -ENOMEM;
	w->entries.v[w->entries.n - 1].plain &= size == len;
	w->entries.v[w->entries.n - 1].total += size;
	return 0;
}

/* Pages of one run. */
struct piece {
	const struct page_run *run;
	uint64_t start, len;
	const char *data;
};

static int add_piece(struct workspace *w, const struct piece *p, uint64_t block)
{
	struct entry e = { .start = p->start,
			   .pages = p->len / PAGE_SZ,
			   .flags = page_run_flags(p->run),
			   .same_as = p->run->same_as,
			   .first = w->sizes.n,
			   .nr = (p->len + block - 1) / block,
			   .plain = true };
	int err = array_add(&w->entries, e) ? -ENOMEM : 0;

	for (uint64_t at = 0; !err && at < p->len; at += block)
		err = add_block(w, p->data + at, MIN_OF(block, p->len - at), p->run->incompressible);
	return err;
}

/* The first run with content at @offset or later. */
static size_t find_run(const struct compress_sink *s, uint64_t offset)
{
	size_t low = 0, high = s->runs.n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct content_run *c = &s->runs.v[middle];
		uint64_t len = page_run_has_content(&c->run) ? c->run.end - c->run.start : 0;

		if (c->offset + len <= offset)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static int encode(const struct compress_sink *s, struct workspace *w, const struct page_batch *batch)
{
	uint64_t at = batch->offset, end = at + batch->len;
	int err = begin_batch(w, batch->len);

	for (size_t i = find_run(s, at); !err && at < end && i < s->runs.n; i++) {
		const struct content_run *c = &s->runs.v[i];
		uint64_t stop = MIN_OF(end, c->offset + (c->run.end - c->run.start));

		if (!page_run_has_content(&c->run))
			continue;
		err = add_piece(w,
				&(struct piece){ .run = &c->run,
						 .start = c->run.start + (at - c->offset),
						 .len = stop - at,
						 .data = (const char *)batch->data + (at - batch->offset) },
				s->block);
		at = stop;
	}
	return err ? fail(err, "compress pages") : 0;
}

/* ---- all batches, in order ---- */

/* Continues the last entry if its blocks are whole, and if that does not turn stored pages into blocks. */
static bool continues(const struct compress_sink *s, const struct entry *last, const struct entry *e)
{
	return last->start + last->pages * PAGE_SZ == e->start && last->flags == e->flags &&
	       last->same_as == e->same_as && last->plain == e->plain && last->pages * PAGE_SZ % s->block == 0;
}

static int note_entries(struct compress_sink *s, const struct workspace *w)
{
	for (size_t i = 0; i < w->sizes.n; i++)
		if (array_add(&s->sizes, w->sizes.v[i]) || array_add(&s->sums, w->sums.v[i]))
			return -ENOMEM;
	for (size_t i = 0; i < w->entries.n; i++) {
		struct entry e = w->entries.v[i], *last = s->entries.n ? &s->entries.v[s->entries.n - 1] : NULL;

		e.first += s->sizes.n - w->sizes.n;
		if (last && continues(s, last, &e)) {
			last->pages += e.pages;
			last->nr += e.nr;
			last->total += e.total;
		} else if (array_add(&s->entries, e)) {
			return -ENOMEM;
		}
	}
	return 0;
}

static int write_encoded(struct compress_sink *s, const struct workspace *w)
{
	int err = 0;

	for (size_t i = 0; !err && i < w->nr_parts; i++)
		err = dir_error(s, image_write_raw(s->pages, w->parts[i].data, w->parts[i].len));
	if (!err && note_entries(s, w))
		err = fail(-ENOMEM, "list of pages");
	return err;
}

static int write_batch(struct page_sink *sink, const struct page_batch *batch)
{
	struct compress_sink *s = compress_of(sink);
	struct workspace *w = take_workspace(s);
	int err = w ? encode(s, w, batch) : fail(-ENOMEM, "compress pages");

	if (!err)
		err = turns_wait(&s->turns, batch->index);
	if (!err)
		err = write_encoded(s, w);
	if (!err)
		turns_end(&s->turns);
	if (w)
		return_workspace(s, w);
	return err;
}

static void give_up(struct page_sink *sink)
{
	turns_give_up(&compress_of(sink)->turns);
}

/* ---- the page map ---- */

static int write_entry(struct compress_sink *s, const struct entry *e)
{
	const struct pagemap_block_sizes sizes = { .codec = s->codec,
						   .block_pages = (uint32_t)(s->block / PAGE_SZ),
						   .v = s->sizes.v + e->first,
						   .sums = s->sums.v + e->first,
						   .n = e->nr,
						   .total = e->total };

	pagemap_same_as(s->map, e->same_as);
	return e->plain ? pagemap_add(s->map, e->start, e->pages, e->flags) :
			  pagemap_add_blocks(s->map, e->start, e->pages, e->flags, &sizes);
}

/* The entries, and between them runs without content, by their addresses. */
static int write_map(struct compress_sink *s)
{
	size_t next = 0;
	int err = 0;

	for (size_t i = 0; !err && i < s->runs.n; i++) {
		const struct page_run *run = &s->runs.v[i].run;

		if (!page_run_has_content(run))
			err = page_run_add_entry(s->map, run);
		while (!err && page_run_has_content(run) && next < s->entries.n && s->entries.v[next].start < run->end)
			err = write_entry(s, &s->entries.v[next++]);
	}
	return dir_error(s, err);
}

static void discard(struct page_sink *sink)
{
	struct compress_sink *s = compress_of(sink);

	while (s->unused) {
		struct workspace *next = s->unused->next;

		workspace_free(s->unused);
		s->unused = next;
	}
	pagemap_discard(s->map);
	image_discard(s->pages);
	turns_free(&s->turns);
	array_free(&s->runs);
	array_free(&s->entries);
	array_free(&s->sizes);
	array_free(&s->sums);
	free(s);
}

static int finish(struct page_sink *sink)
{
	struct compress_sink *s = compress_of(sink);
	int err = dir_error(s, image_close(steal_ptr(&s->pages)));

	if (!err)
		err = write_map(s);
	if (!err)
		err = dir_error(s, pagemap_close(steal_ptr(&s->map)));
	discard(sink);
	return err;
}

static const struct page_sink_ops compress_sink_ops = {
	.add_run = add_run,
	.begin = begin,
	.write = write_batch,
	.give_up = give_up,
	.finish = finish,
	.discard = discard,
};

int compress_sink_open(struct dump *dump, enum image_type type, uint64_t id, struct page_sink **ret_sink)
{
	const struct options *opts = dump->opts;
	struct compress_sink *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return fail(-ENOMEM, "pages image");
	*s = (struct compress_sink){ .sink.ops = &compress_sink_ops,
				     .dir = dump->dir,
				     .codec = opts->compress == COMPRESS_ZSTD ? PAGEMAP_ZSTD : PAGEMAP_LZ4,
				     .acceleration = (int)opts->compress_acceleration,
				     .block = opts->compress_block };
	turns_init(&s->turns);
	err = dir_error(s, pagemap_create_sequential(s->dir, type, id, &s->map, &s->pages));
	if (err)
		discard(&s->sink);
	else
		*ret_sink = &s->sink;
	return err;
}
