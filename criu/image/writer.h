/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Writing one image of records. Bytes gather in a buffer of 64K; a write that fails makes every later call fail with
 * the same error, image_close() last, and the store's commit refuse. Why stands in image_store_error().
 */
#pragma once
#include <stddef.h>

#include "image/store.h"

struct image_writer;

/*
 * A new image in the transaction of @store, its magics written. `id` is ignored by types without one. Raw images are
 * made by image_store_create().
 */
int image_create(struct image_store *store, enum image_type type, uint64_t id, struct image_writer **ret_img);
/* -EINVAL when a required field is missing. */
int image_write_record(struct image_writer *img, const ProtobufCMessage *msg);
/* Payload after a record, as it is. */
int image_write_raw(struct image_writer *img, const void *buf, size_t len);
/* Everything to the store; frees `img` whatever happens. */
int image_close(struct image_writer *img);
/* Frees `img` without writing what is buffered; the transaction can then only be aborted. NULL is fine. */
void image_discard(struct image_writer *img);

/* An image of one record and nothing more. */
int image_write_single(struct image_store *store, enum image_type type, uint64_t id, const ProtobufCMessage *msg);

static inline void cleanup_image_writer(struct image_writer **img)
{
	image_discard(*img);
}
#define _cleanup_image_writer_ __attribute__((cleanup(cleanup_image_writer)))
