/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reading one image. Nothing in it is trusted: -EBADMSG for a header of another type, or a record that extends past the
 * end of the file, is not a valid message of its type, lacks required fields, nests deeper than 64 messages, or has a
 * NUL in a string; image_error() names the file, the record (from 1) and the byte where it starts. After an error all
 * later calls return it again. Memory use is bounded by the file's size, not by its content.
 */
#pragma once
#include <stddef.h>

#include "image/store.h"

struct image_reader;

/*
 * -ENOENT if there is no such image; the text is in image_store_error(). A raw image has no records: image_read_raw().
 */
int image_open(struct image_store *store, enum image_type type, uint64_t id, struct image_reader **ret_img);
/* Frees the reader; NULL is allowed. Records that were read stay valid, payload pointers do not. */
void image_done(struct image_reader *img);

const char *image_error(const struct image_reader *img);
/* Later records are allocated by @allocator and freed with it: no image_free_record() for them. */
void image_use_allocator(struct image_reader *img, ProtobufCAllocator *allocator);

/*
 * The next record: 1 and a message in `*ret_msg` (a pointer to a message of that type, to be freed with
 * image_free_record()), 0 at the end of the file, or a negative errno.
 *	PstreeEntry *entry;
 *	int got = image_read_record(img, &pstree_entry__descriptor, &entry);
 */
int image_read_record(struct image_reader *img, const ProtobufCMessageDescriptor *type, void *ret_msg);
/* The same, but the end of the file is -EBADMSG and success 0. */
int image_need_record(struct image_reader *img, const ProtobufCMessageDescriptor *type, void *ret_msg);
/* The next `len` raw bytes, not copied: valid until image_done(). -EBADMSG if there are not enough. */
int image_read_raw(struct image_reader *img, size_t len, const void **ret_buf);
/* The bytes of the record that was read, or could not be read, last; NULL if they are not in the image. */
const uint8_t *image_last_record(const struct image_reader *img, size_t *ret_len);
/* Remaining bytes of the file. */
size_t image_left(const struct image_reader *img);
/* -EBADMSG if there are more bytes. */
int image_expect_end(struct image_reader *img);
/* For an invalid value in a record: sets the text, preceded by the file and the record; returns -EBADMSG. */
int image_refuse(struct image_reader *img, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

void image_free_record(void *msg);

/* Reads an image that must have exactly one record; errors are in image_store_error(). */
int image_read_single(struct image_store *store, enum image_type type, uint64_t id, void *ret_msg);
/* The same; the record is allocated by @allocator and freed with it. */
int image_read_single_into(struct image_store *store, enum image_type type, uint64_t id, ProtobufCAllocator *allocator,
			   void *ret_msg);

static inline void cleanup_image_reader(struct image_reader **img)
{
	image_done(*img);
}
#define _cleanup_image_reader_ __attribute__((cleanup(cleanup_image_reader)))

/* For a variable of any message type. */
static inline void cleanup_image_record(void *msg)
{
	image_free_record(*(void **)msg);
}
#define _cleanup_record_ __attribute__((cleanup(cleanup_image_record)))
