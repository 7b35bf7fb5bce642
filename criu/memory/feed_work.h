/* SPDX-License-Identifier: GPL-2.0-only */
/* A list of pages of a source, to be read into our memory. */
#pragma once
#include "memory/huge_blocks.h"
#include "pie/wire.h"
#include "util/array.h"

struct feed_item {
	struct block_read read;
	bool huge; /* whole huge pages */
};
ARRAY_OF(feed_items, struct feed_item);

struct feed_work {
	struct feed_items items;
	uint64_t bytes;
	struct restorer_counts *counts;
};

/* -ENOMEM */
int feed_work_add(struct feed_work *work, const struct feed_item *item);
/* 0 or a negative errno, logged. */
int feed_work_run(struct feed_work *work);
void feed_work_free(struct feed_work *work);
