/* SPDX-License-Identifier: GPL-2.0-only */
/* Reads a list of pages into our memory. */
#pragma once
#include "memory/feed_items.h"

/* Cut into parts that threads can share. -ENOMEM */
int feed_work_add(struct feed_work *work, const struct feed_item *item);
/* 0 or a negative errno, logged. */
int feed_work_run(struct feed_work *work);
void feed_work_free(struct feed_work *work);
