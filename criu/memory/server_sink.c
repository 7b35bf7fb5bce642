// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pages are sent to a page server: the header of each run, then its content. A connection has one order, so a thread that
 * comes with a batch waits for its turn, and reads the next one meanwhile.
 */
#include <errno.h>
#include <stdlib.h>
#include "base/bits.h"
#include "base/cleanup.h"
#include "memory/page_sink.h"
#include "memory/turns.h"
#include "transport/client.h"
#include "util/array.h"
#include "util/log.h"

struct sent_run {
	uint64_t start, end;
	uint16_t flags;
};

ARRAY_OF(sent_runs, struct sent_run);
ARRAY_OF(iovecs, struct iovec);

struct message_bytes {
	uint8_t v[MESSAGE_SIZE];
};
ARRAY_OF(headers, struct message_bytes);

struct server_sink {
	struct page_sink sink;
	struct page_client *client;
	struct sent_runs runs;
	struct turns turns;
	/* Of the thread whose turn it is. */
	size_t next_run; /* the first whose header has not been sent */
	uint64_t sent, left; /* content of the one before that has been, and is still to be, sent */
	struct iovecs pieces;
	struct headers headers; /* where the pieces point to */
};

static struct server_sink *server_sink_of(struct page_sink *sink)
{
	return container_of(sink, struct server_sink, sink);
}

static int add_run(struct page_sink *sink, const struct page_run *run)
{
	struct server_sink *s = server_sink_of(sink);
	struct sent_run *last = s->runs.n ? &s->runs.v[s->runs.n - 1] : NULL;
	struct sent_run next = { .start = run->start, .end = run->end };

	if (page_run_has_content(run))
		next.flags = MESSAGE_PRESENT | (run->may_be_lazy ? MESSAGE_LAZY : 0);
	else if (run->outcome == PAGES_PARENT)
		next.flags = MESSAGE_IN_PARENT;
	else
		return 0;
	if (last && last->end == next.start && last->flags == next.flags) {
		last->end = next.end;
		return 0;
	}
	return array_add(&s->runs, next) ? fail(-ENOMEM, "list of pages") : 0;
}

static int begin(struct page_sink *sink, uint64_t bytes)
{
	return 0;
}

static int add_header(struct server_sink *s)
{
	const struct sent_run *run = &s->runs.v[s->next_run++];
	struct message_bytes header;

	page_client_encode_run(s->client, run->flags, run->start, (run->end - run->start) / PAGE_SZ, header.v);
	if (run->flags & MESSAGE_PRESENT)
		s->left = run->end - run->start;
	s->sent = 0;
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
	struct iovec piece = { (void *)data, len };

	s->left -= len;
	s->sent += len;
	return array_add(&s->pieces, piece) ? fail(-ENOMEM, "list of pages") : 0;
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
	int err = 0;

	for (uint64_t done = 0; !err && done < batch->len;) {
		uint64_t len = MIN_OF(MIN_OF(s->left, batch->len - done), CONTENT_STEP - s->sent % CONTENT_STEP);

		if (len) {
			err = add_content(s, (const char *)batch->data + done, len);
			done += len;
		} else {
			err = s->next_run < s->runs.n ? add_header(s) : fail(-EIO, "pages without a run");
		}
	}
	return err ? err : send_pieces(s);
}

static int write_batch(struct page_sink *sink, const struct page_batch *batch)
{
	struct server_sink *s = server_sink_of(sink);
	int err = turns_wait(&s->turns, batch->index);

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

	array_free(&s->runs);
	array_free(&s->pieces);
	array_free(&s->headers);
	turns_free(&s->turns);
	free(s);
}

/* Runs without content follow the last batch. */
static int finish(struct page_sink *sink)
{
	struct server_sink *s = server_sink_of(sink);
	int err = s->left ? fail(-EIO, "pages are missing") : 0;

	while (!err && s->next_run < s->runs.n)
		err = s->runs.v[s->next_run].flags & MESSAGE_PRESENT ? fail(-EIO, "pages are missing") : add_header(s);
	if (!err)
		err = send_pieces(s);
	discard(sink);
	return err;
}

static const struct page_sink_ops server_sink_ops = {
	.add_run = add_run,
	.begin = begin,
	.write = write_batch,
	.give_up = give_up,
	.finish = finish,
	.discard = discard,
};

int server_sink_open(struct page_client *client, enum image_type type, uint64_t id, struct page_sink **ret_sink)
{
	struct server_sink *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return fail(-ENOMEM, "pages for the page server");
	*s = (struct server_sink){ .sink.ops = &server_sink_ops, .client = client };
	turns_init(&s->turns);
	err = page_client_open_image(client, message_dst(type == IMAGE_PAGEMAP ? MESSAGE_TASK : MESSAGE_SEGMENT, id));
	if (err)
		discard(&s->sink);
	else
		*ret_sink = &s->sink;
	return err;
}
