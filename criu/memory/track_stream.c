// SPDX-License-Identifier: GPL-2.0-only
/* Previous images that the receiver of a stream has, as they were in it. */
#include <errno.h>
#include "image/pagemap.h"
#include "image/sent_pages.h"
#include "image/stream.h"
#include "memory/dump_memory.h"
#include "memory/tracking.h"
#include "util/log.h"

static int count_sent(struct image_store *store, enum image_type type, uint64_t id, void *arg)
{
	struct tracking *t = arg;
	struct sent_pages sent = { .run_id = t->parent_run_id, .by_stream = true };
	_cleanup_pagemap_ struct pagemap *map = NULL;
	int err = type == IMAGE_SENT_PAGES ? sent_pages_load(store, id, &sent, &map) : -ENOENT;

	if (!err)
		t->parent_was_streamed = true;
	return err == -ENOENT ? 0 : err;
}

int track_refer_stream(struct dump *dump)
{
	struct tracking *t = dump->memory->tracking;
	const char *path = dump->opts->parent_dir;
	int err = t->parent_run_id[0] ? image_store_for_each(t->parent, count_sent, t) : 0;

	if (err)
		return fail(err, "--prev-images-dir %s: %s", path, image_store_error(t->parent));
	if (!t->parent_was_streamed)
		return fail(
			-ENOENT,
			"--prev-images-dir %s: these images were not sent with --stream -, so the receiver of the stream does not have them",
			path);
	image_stream_refer(dump->dir, t->parent_run_id);
	return 0;
}
