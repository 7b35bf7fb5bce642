/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Pages are written to the images directory: content to a pages image, each batch to its own offset, and at the end the
 * runs, without the zeros that were found in them, to its page map.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>
#include "base/bits.h"
#include "base/cleanup.h"
#include "image/pagemap.h"
#include "memory/direct_io.h"
#include "memory/dump_memory.h"
#include "memory/page_sink.h"
#include "util/array.h"
#include "util/crc32c.h"
#include "util/fds.h"
#include "util/log.h"

/* Reserving space for less takes as long as writing it. More at once gains nothing, and may be needed for nothing: zeros. */
#define WORTH_RESERVING (512ul << 10)
#define RESERVED_AT_ONCE (64ul << 20)

ARRAY_OF(sink_runs, struct page_run);

struct image_sink {
	struct page_sink sink;
	struct image_store *dir;
	struct pagemap_writer *map;
	struct image_extent pages; /* the content starts at its base */
	struct sink_runs runs, zeros;
	pthread_mutex_t lock; /* of the space below */
	uint64_t bytes, reserved; /* at most needed; up to where there is space */
	uint64_t used;
	_Atomic bool direct; /* past the page cache */
	_Atomic uint32_t *direct_warned; /* of the dump: direct_io.h */
	bool summed;
	uint32_t *sums; /* of each page of the content */
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
	return array_add(&image_sink_of(sink)->runs, *run) ? fail(-ENOMEM, "page map") : 0;
}

static int add_zeros(struct page_sink *sink, uint64_t start, uint64_t end)
{
	struct page_run run = { .start = start, .end = end };

	return array_add(&image_sink_of(sink)->zeros, run) ? fail(-ENOMEM, "page map") : 0;
}

/* Cheaper than piece by piece, and a full disk is detected before copying. */
static int reserve(struct image_sink *s, uint64_t upto)
{
	uint64_t start = s->reserved;

	s->reserved = MIN_OF(s->bytes, MAX_OF(upto, start + RESERVED_AT_ONCE));
	if (fallocate(s->pages.fd, 0, (off_t)(s->pages.base + start), (off_t)(s->reserved - start)) < 0 &&
	    errno != EOPNOTSUPP)
		return fail(-errno, "space for %lu bytes of memory in the images directory", s->bytes);
	return 0;
}

static int begin(struct page_sink *sink, uint64_t bytes)
{
	struct image_sink *s = image_sink_of(sink);

	s->bytes = bytes;
	if (s->summed) {
		/* Zeros that are found are not touched here, either. */
		s->sums = calloc(bytes / PAGE_SZ + 1, sizeof(*s->sums));
		if (!s->sums)
			return fail(-ENOMEM, "checksums of pages");
	}
	if (bytes > WORTH_RESERVING)
		return reserve(s, 0);
	s->reserved = bytes;
	return 0;
}

static int make_room(struct image_sink *s, uint64_t upto)
{
	int err = 0;

	pthread_mutex_lock(&s->lock);
	s->used = MAX_OF(s->used, upto);
	if (upto > s->reserved)
		err = reserve(s, upto);
	pthread_mutex_unlock(&s->lock);
	return err;
}

static int write_batch(struct page_sink *sink, const struct page_batch *batch)
{
	struct image_sink *s = image_sink_of(sink);
	int err = make_room(s, batch->offset + batch->len);

	if (err)
		return err;
	if (s->sums)
		crc32c_pages(batch->data, batch->len / PAGE_SZ, s->sums + batch->offset / PAGE_SZ);
	err = pwrite_full(s->pages.fd, batch->data, batch->len, (off_t)(s->pages.base + batch->offset));
	if (err == -EINVAL && s->direct) {
		/* In this order: a thread that finds it ended writes again. */
		direct_io_end(s->pages.fd, s->direct_warned);
		s->direct = false;
	}
	/* The other thread may have ended it. */
	if (err == -EINVAL)
		err = pwrite_full(s->pages.fd, batch->data, batch->len, (off_t)(s->pages.base + batch->offset));
	return err < 0 ? fail(err, "write the pages image") : 0;
}

static void discard(struct page_sink *sink)
{
	struct image_sink *s = image_sink_of(sink);

	pagemap_discard(s->map);
	cleanup_close(&s->pages.fd);
	free(s->sums);
	array_free(&s->runs);
	array_free(&s->zeros);
	free(s);
}

/* What has been written to the page map. */
struct written {
	size_t zero; /* the first zeros that do not end before the next run */
	uint64_t page; /* of the content */
};

static int write_entry(struct image_sink *s, struct written *w, uint64_t start, uint64_t end, uint32_t flags)
{
	uint64_t nr = end > start ? (end - start) / PAGE_SZ : 0, page = w->page;
	bool summed = s->sums && flags & PAGEMAP_PRESENT;

	if (!nr)
		return 0;
	w->page += flags & PAGEMAP_PRESENT ? nr : 0;
	return dir_error(s, pagemap_add_summed(s->map, start, nr, flags, summed ? s->sums + page : NULL));
}

static int write_run(struct image_sink *s, const struct page_run *run, struct written *w)
{
	uint32_t flags = page_run_flags(run);
	uint64_t at = run->start;
	int err = 0;

	if (!page_run_has_content(run))
		return dir_error(s, page_run_add_entry(s->map, run));
	pagemap_same_as(s->map, run->same_as);
	for (; !err && w->zero < s->zeros.n && s->zeros.v[w->zero].start < run->end; w->zero++) {
		const struct page_run *gap = &s->zeros.v[w->zero];

		err = write_entry(s, w, at, gap->start, flags);
		at = MIN_OF(gap->end, run->end);
		if (gap->end > run->end) /* it continues in the next run */
			break;
	}
	return err ? err : write_entry(s, w, at, run->end, flags);
}

static int write_page_map(struct image_sink *s)
{
	struct written w = { 0 };
	int err = 0;

	for (size_t i = 0; !err && i < s->runs.n; i++)
		err = write_run(s, &s->runs.v[i], &w);
	return err ? err : dir_error(s, pagemap_close(steal_ptr(&s->map)));
}

static int finish(struct page_sink *sink)
{
	struct image_sink *s = image_sink_of(sink);
	int err = 0;

	if (s->bytes > WORTH_RESERVING && s->used < s->reserved &&
	    ftruncate(s->pages.fd, (off_t)(s->pages.base + s->used)) < 0)
		err = fail(-errno, "shorten the pages image");
	if (!err)
		err = write_page_map(s);
	discard(sink);
	return err;
}

static const struct page_sink_ops image_sink_ops = {
	.add_run = add_run,
	.begin = begin,
	.add_zeros = add_zeros,
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
	*s = (struct image_sink){
		.sink.ops = &image_sink_ops, .dir = dump->dir, .pages.fd = -1, .summed = dump->opts->page_checksums
	};
	err = dir_error(s, pagemap_create(s->dir, type, id, &s->map, &s->pages));
	if (err) {
		discard(&s->sink);
		return err;
	}
	if (dump->opts->image_io_mode == IMAGE_IO_DIRECT && s->pages.base % PAGE_SZ == 0) {
		s->direct_warned = &dump->memory->direct_warned;
		s->direct = direct_io_begin(s->pages.fd, s->direct_warned);
	}
	*ret_sink = &s->sink;
	return 0;
}
