/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Writing one image of records, with a buffer of 64K. After a write error all later calls fail with the same error,
 * including image_close() and the store's commit. The text is in image_store_error().
 */
#pragma once
#include <stddef.h>

#include "image/store.h"

struct image_writer;

/*
 * Creates an image in the transaction of @store and writes its magics. `id` is ignored for types without one. A raw
 * image has none, and no records: image_write_raw(). Pages are written at offsets: image_store_create().
 */
int image_create(struct image_store *store, enum image_type type, uint64_t id, struct image_writer **ret_img);
/* -EINVAL if a required field is missing. */
int image_write_record(struct image_writer *img, const ProtobufCMessage *msg);
/* Raw payload after a record. */
int image_write_raw(struct image_writer *img, const void *buf, size_t len);
/* Passes everything to the store; frees `img` in any case. */
int image_close(struct image_writer *img);
/* Frees `img` without writing the buffer; the transaction can then only be aborted. NULL is allowed. */
void image_discard(struct image_writer *img);

/* Writes an image with a single record. */
int image_write_single(struct image_store *store, enum image_type type, uint64_t id, const ProtobufCMessage *msg);

static inline void cleanup_image_writer(struct image_writer **img)
{
	image_discard(*img);
}
#define _cleanup_image_writer_ __attribute__((cleanup(cleanup_image_writer)))
