/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Previous pages on a page server, or with the receiver of a stream. Which pages of a process it has is known from what the previous dump has noted (image/sent_pages.h),
 * or, if its images were put together with those of the server, or sent there by other means, from the page map.
 */
#include <errno.h>
#include "base/bits.h"
#include "base/cleanup.h"
#include "image/pagemap.h"
#include "image/sent_pages.h"
#include "memory/dump_memory.h"
#include "memory/tracking.h"
#include "transport/client.h"
#include "util/array.h"
#include "util/log.h"

static int parent_error(struct tracking *t, int err)
{
	return fail(err, "previous images: %s", image_store_error(t->parent));
}

/* One that an older dump has left has no checksum, where there are any. */
static bool is_of_parent(const struct tracking *t, enum image_type type, uint64_t id)
{
	return !t->parent_is_summed || image_store_has_checksum(t->parent, type, id);
}

int track_load_parent(const struct dump *dump, uint64_t pid, struct pagemap **ret_map)
{
	struct tracking *t = dump->memory->tracking;
	const bool by_stream = dump->opts->stream != STREAM_NONE;
	struct sent_pages sent = { .run_id = t->parent_run_id, .by_stream = by_stream };
	int err = -ENOENT;

	if (dump->opts->page_server || by_stream)
		err = sent_pages_load(t->parent, pid, &sent, ret_map);
	if (err == -ENOENT && !by_stream && is_of_parent(t, IMAGE_PAGEMAP, pid))
		err = pagemap_load(t->parent, IMAGE_PAGEMAP, pid, ret_map);
	return !err || err == -ENOENT ? err : parent_error(t, err);
}

struct questions {
	struct tracking *tracking;
	ARRAY_OF(, uint64_t) sent, maps;
};

static int add_question(struct image_store *store, enum image_type type, uint64_t id, void *arg)
{
	struct questions *q = arg;
	struct sent_pages sent = { .run_id = q->tracking->parent_run_id };
	_cleanup_pagemap_ struct pagemap *map = NULL;
	int err;

	if (type == IMAGE_PAGEMAP && is_of_parent(q->tracking, type, id))
		return array_add(&q->maps, message_dst(MESSAGE_TASK, id)) ? fail(-ENOMEM, "list of images") : 0;
	if (type != IMAGE_SENT_PAGES)
		return 0;
	err = sent_pages_load(store, id, &sent, &map);
	if (err)
		return err == -ENOENT ? 0 : parent_error(q->tracking, err);
	return array_add(&q->sent, message_dst(MESSAGE_TASK, id)) ? fail(-ENOMEM, "list of images") : 0;
}

static int refuse(const struct dump *dump, uint64_t dst, enum page_client_parent has)
{
	return fail(
		has == PARENT_IS_OTHER ? -EBADMSG : -ENOENT,
		"--prev-images-dir %s: pagemap-%lu.img of these images is not in the previous images of the page server%s: "
		"give it --prev-images-dir, too, with the directory of the server that they were sent to",
		dump->opts->parent_dir, dst >> 8, has == PARENT_IS_OTHER ? ", which are of another dump" : "");
}

static int ask(struct dump *dump, const uint64_t *dsts, size_t n)
{
	_cleanup_free_ enum page_client_parent *has = calloc(n + 1, sizeof(*has));
	size_t lacks = n, other = n;
	struct uuid run;
	int err;

	if (!has)
		return fail(-ENOMEM, "list of images");
	uuid_parse(dump->memory->tracking->parent_run_id, &run);
	err = page_client_ask_parent(*dump->page_client, dsts, n, &run, has);
	for (size_t i = n; !err && i-- > 0;) {
		lacks = has[i] == PARENT_LACKS ? i : lacks;
		other = has[i] == PARENT_IS_OTHER ? i : other;
	}
	if (other == n)
		other = lacks;
	return err || other == n ? err : refuse(dump, dsts[other], has[other]);
}

int track_ask_server(struct dump *dump)
{
	struct tracking *t = dump->memory->tracking;
	struct questions q = { .tracking = t };
	int err;

	/* Without an id no page is left out. */
	if (!t || !t->parent || !t->parent_run_id[0])
		return 0;
	err = image_store_for_each(t->parent, add_question, &q);
	if (!err)
		err = q.sent.n ? ask(dump, q.sent.v, q.sent.n) : ask(dump, q.maps.v, q.maps.n);
	array_free(&q.sent);
	array_free(&q.maps);
	return err;
}
