/* SPDX-License-Identifier: GPL-2.0-only */
/* A list of pages of a source, which has them in blocks, to be read into our memory. */
#pragma once
#include <stdatomic.h>
#include "memory/huge_blocks.h"
#include "run/restore.h"
#include "util/array.h"

struct feed_item {
	struct block_read read;
	bool huge; /* whole huge pages */
	bool registered; /* can be moved into place */
	bool done; /* a huge one that has been moved */
};
/* Bytes of an item, at most. */
#define FEED_UNIT (4ul << 20)
ARRAY_OF(feed_items, struct feed_item);

/* Each item is in one of them. */
enum feed_pass {
	FEED_MOVES, /* huge pages, which are moved; what cannot be moved is in the next one, too */
	FEED_IN_PLACE, /* huge pages, as far as the kernel gives some */
	FEED_SMALL,
};

struct feed_work {
	struct restore *r;
	const struct restore_task *rt;
	struct feed_items items;
	uint64_t bytes;
	struct huge_blocks huge;
	/* Of what is done by several threads. */
	enum feed_pass pass;
	_Atomic size_t next; /* item */
	_Atomic int failed; /* the first error */
	uint64_t failed_addr;
};
