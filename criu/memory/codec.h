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

/* Exactly @room bytes; otherwise -EBADMSG. */
int codec_decode(enum pagemap_codec codec, const void *from, size_t len, void *to, size_t room);
