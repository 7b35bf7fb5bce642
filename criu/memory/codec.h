/* SPDX-License-Identifier: GPL-2.0-only */
/* Compression of one block of pages: LZ4 (block format, without frames) or Zstandard. */
#pragma once
#include <stddef.h>
#include "image/pagemap.h"

struct encoder;

/* @acceleration: of LZ4, from 1 on: faster, and larger. NULL if out of memory. */
struct encoder *encoder_new(enum pagemap_codec codec, int acceleration);
void encoder_free(struct encoder *e);
/* Bytes of the result; 0 if it would be longer than @room. */
size_t encoder_run(struct encoder *e, const void *from, size_t len, void *to, size_t room);

/* Memory for decoding one block after another. */
struct decoder;

/* NULL if out of memory. */
struct decoder *decoder_new(void);
void decoder_free(struct decoder *d);
struct coded_block {
	enum pagemap_codec codec;
	const void *at;
	size_t len;
};
/*
 * Exactly @room bytes; otherwise -EBADMSG. Neither allocates memory nor uses what belongs to a thread of libc, whatever the block
 * contains: see bare_thread.h.
 */
int decoder_run(struct decoder *d, const struct coded_block *from, void *to, size_t room);
