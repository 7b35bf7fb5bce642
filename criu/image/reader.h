/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reading one image. No number in it is trusted: a header that is another type's, a record that runs beyond the end of
 * the file, that is no message of its type, that lacks what is required, that nests deeper than 64 messages or has a
 * NUL in a string gives -EBADMSG, and image_error() names the file, the record (from 1) and the byte where it starts.
 * After an error every later call gives it again. Memory grows with the file's size, not with what it claims.
 */
#pragma once
#include <stddef.h>

#include "image/store.h"

struct image_reader;

/* -ENOENT when there is no such image; why in image_store_error(). A raw image has no records: image_read_raw(). */
int image_open(struct image_store *store, enum image_type type, uint64_t id, struct image_reader **ret_img);
/* Frees; NULL is fine. Records that were read stay, payload pointers do not. */
void image_done(struct image_reader *img);

const char *image_error(const struct image_reader *img);
/* Records that are read from now on come from @allocator and go with it: no image_free_record() for them. */
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
/* The next `len` bytes as they are, without a copy: borrowed until image_done(). -EBADMSG when so many are not left. */
int image_read_raw(struct image_reader *img, size_t len, const void **ret_buf);
/* Bytes from here to the end of the file. */
size_t image_left(const struct image_reader *img);
/* -EBADMSG when something is left. */
int image_expect_end(struct image_reader *img);
/* A value that a record holds is wrong: sets the text with the file and the record before it, gives -EBADMSG. */
int image_refuse(struct image_reader *img, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

void image_free_record(void *msg);

/* The one record of an image that must hold just one; errors in image_store_error(). */
int image_read_single(struct image_store *store, enum image_type type, uint64_t id, void *ret_msg);
/* The same; the record comes from @allocator and goes with it. */
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
