/* SPDX-License-Identifier: GPL-2.0-only */
/* A store of images that have been received, or are fetched when they are needed. */
#pragma once
#include "image/spool.h"
#include "image/store_ops.h"

/* Where images that are not in the spool come from. */
struct stream_in_ops {
	/* Adds an image, or its absence, to the (locked) spool. 0 or a negative errno, with a text in @store. */
	int (*fetch)(void *from, struct image_store *store, struct spool *spool, enum image_type type, uint64_t id);
	int (*move_fds)(void *from, int min);
	void (*free)(void *from);
};

/* Takes @spool and @from over, on success. @ops: NULL if all images are there. -ENOMEM */
int stream_in_new(struct spool *spool, const struct stream_in_ops *ops, void *from, struct image_store **ret_store);
/* The store of the previous images, taken over: one of this kind. */
void stream_in_set_parent(struct image_store *store, struct image_store *parent);
