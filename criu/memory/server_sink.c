// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pages are sent to a page server: the header of each run, or of what a batch has of it, then its content. A connection has one order,
 * so a thread that comes with a batch waits for its turn, and reads the next one meanwhile.
 */
#include <errno.h>
#include <stdlib.h>
#include "base/bits.h"
#include "base/cleanup.h"
#include "memory/kept_runs.h"
#include "memory/page_sink.h"
#include "memory/turns.h"
#include "transport/client.h"
#include "util/array.h"
#include "util/crc32c.h"
#include "util/log.h"

ARRAY_OF(iovecs, struct iovec);

struct message_bytes {
	uint8_t v[MESSAGE_SIZE];
};
ARRAY_OF(headers, struct message_bytes);

struct server_sink {
	struct page_sink sink;
	struct dump *dump;
	struct page_client *client;
	struct turns turns; /* its lock is also that of: */
	struct kept_runs runs;
	/* Of the thread whose turn it is. */
	struct iovecs pieces;
	struct headers headers; /* where the pieces point to */
};

static struct server_sink *server_sink_of(struct page_sink *sink)
{
	return container_of(sink, struct server_sink, sink);
}

/* 0: it is not sent. */
static uint16_t header_flags(const struct page_run *run)
{
	if (page_run_has_content(run))
		return MESSAGE_PRESENT | (run->may_be_lazy ? MESSAGE_LAZY : 0);
	return run->outcome == PAGES_PARENT ? MESSAGE_IN_PARENT : 0;
}

static int add_run(struct page_sink *sink, const struct page_run *run)
{
	if (run->outcome == PAGES_SAME)
		return fail(-EOPNOTSUPP, "a page server knows no pages of another process");
	return header_flags(run) ? kept_runs_add(&server_sink_of(sink)->runs, run) : 0;
}

/* While another thread may be sending what comes before. */
static int add_zeros(struct page_sink *sink, uint64_t start, uint64_t end)
{
	struct server_sink *s = server_sink_of(sink);
	int err;

	pthread_mutex_lock(&s->turns.lock);
	err = kept_runs_add_zeros(&s->runs, start, end);
	pthread_mutex_unlock(&s->turns.lock);
	return err;
}

static bool next_run(struct server_sink *s, uint64_t max, struct page_run *ret)
{
	bool got;

	pthread_mutex_lock(&s->turns.lock);
	got = kept_runs_next(&s->runs, max, ret);
	pthread_mutex_unlock(&s->turns.lock);
	return got;
}

static int begin(struct page_sink *sink, uint64_t bytes)
{
	return 0;
}

static int add_header(struct server_sink *s, const struct page_run *run)
{
	struct message_bytes header;

	page_client_encode_run(s->client, header_flags(run), run->start, (run->end - run->start) / PAGE_SZ, header.v);
	/* The array may move: addresses are set at the end. */
	return array_add(&s->headers, header) ||
			       array_add(&s->pieces, ((struct iovec){ .iov_base = NULL, .iov_len = MESSAGE_SIZE })) ?
		       fail(-ENOMEM, "list of pages") :
		       0;
}

/* Over TLS, 4.2 receives content in steps of this size, from the beginning of a run on, and each in whole records. */
#define CONTENT_STEP (64ul << 10)

static int add_content(struct server_sink *s, const char *data, uint64_t len)
{
	for (uint64_t at = 0; at < len; at += CONTENT_STEP) {
		struct iovec piece = { (void *)(data + at), MIN_OF(len - at, CONTENT_STEP) };

		if (array_add(&s->pieces, piece))
			return fail(-ENOMEM, "list of pages");
	}
	return 0;
}

static int send_pieces(struct server_sink *s)
{
	size_t n = s->pieces.n, header = 0;

	for (size_t i = 0; i < n; i++)
		if (!s->pieces.v[i].iov_base)
			s->pieces.v[i].iov_base = s->headers.v[header++].v;
	s->pieces.n = s->headers.n = 0;
	return n ? page_client_send(s->client, s->pieces.v, n) : 0;
}

static int send_batch(struct server_sink *s, const struct page_batch *batch)
{
	struct page_run run;
	int err = 0;

	for (uint64_t done = 0; !err && done < batch->len;) {
		if (!next_run(s, batch->len - done, &run))
			return fail(-EIO, "pages without a run");
		err = add_header(s, &run);
		if (err || !page_run_has_content(&run))
			continue;
		err = add_content(s, (const char *)batch->data + done, run.end - run.start);
		done += run.end - run.start;
	}
	return err ? err : send_pieces(s);
}

static int write_batch(struct page_sink *sink, const struct page_batch *batch)
{
	struct server_sink *s = server_sink_of(sink);
	const size_t n = s->dump->opts->page_checksums ? batch->len / PAGE_SZ : 0;
	_cleanup_free_ uint32_t *sums = n ? calloc(n, sizeof(*sums)) : NULL;
	int err;

	if (n && !sums)
		return fail(-ENOMEM, "checksums of pages");
	if (n)
		crc32c_pages(batch->data, n, sums);
	err = turns_wait(&s->turns, batch->index);
	if (!err && n)
		page_client_add_sums(s->client, sums, n);
	if (!err)
		err = send_batch(s, batch);
	if (!err)
		turns_end(&s->turns);
	return err;
}

static void give_up(struct page_sink *sink)
{
	turns_give_up(&server_sink_of(sink)->turns);
}

static void discard(struct page_sink *sink)
{
	struct server_sink *s = server_sink_of(sink);

	kept_runs_free(&s->runs);
	array_free(&s->pieces);
	array_free(&s->headers);
	turns_free(&s->turns);
	free(s);
}

/* Runs without content follow the last batch. */
static int finish(struct page_sink *sink)
{
	struct server_sink *s = server_sink_of(sink);
	struct page_run run;
	int err = 0;

	while (!err && next_run(s, UINT64_MAX, &run))
		err = page_run_has_content(&run) ? fail(-EIO, "pages are missing") : add_header(s, &run);
	if (!err)
		err = send_pieces(s);
	discard(sink);
	return err;
}

static const struct page_sink_ops server_sink_ops = {
	.add_run = add_run,
	.begin = begin,
	.add_zeros = add_zeros,
	.write = write_batch,
	.give_up = give_up,
	.finish = finish,
	.discard = discard,
};

int server_sink_open(struct dump *dump, enum image_type type, uint64_t id, struct page_sink **ret_sink)
{
	struct server_sink *s = calloc(1, sizeof(*s));
	struct uuid run;
	int err;

	if (!s)
		return fail(-ENOMEM, "pages for the page server");
	*s = (struct server_sink){ .sink.ops = &server_sink_ops, .dump = dump, .client = *dump->page_client };
	turns_init(&s->turns);
	uuid_parse(dump->run_id, &run);
	err = page_client_open_image(s->client, message_dst(type == IMAGE_PAGEMAP ? MESSAGE_TASK : MESSAGE_SEGMENT, id),
				     &run);
	if (err)
		discard(&s->sink);
	else
		*ret_sink = &s->sink;
	return err;
}
