/* SPDX-License-Identifier: GPL-2.0-only */
#include "memory/codec.h"
#include <errno.h>
#include <lz4.h>
#include <stdlib.h>
#include <zstd.h>

/* Level 1 is slower by a third, and its result 10 % smaller. */
#define ZSTD_LEVEL (-1)

struct encoder {
	enum pagemap_codec codec;
	int acceleration;
	void *lz4;
	ZSTD_CCtx *zstd;
};

struct encoder *encoder_new(enum pagemap_codec codec, int acceleration)
{
	struct encoder *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	e->codec = codec;
	e->acceleration = acceleration;
	if (codec == PAGEMAP_ZSTD)
		e->zstd = ZSTD_createCCtx();
	else
		e->lz4 = malloc((size_t)LZ4_sizeofState());
	if (e->zstd || e->lz4)
		return e;
	free(e);
	return NULL;
}

void encoder_free(struct encoder *e)
{
	if (!e)
		return;
	free(e->lz4);
	ZSTD_freeCCtx(e->zstd);
	free(e);
}

size_t encoder_run(struct encoder *e, const void *from, size_t len, void *to, size_t room)
{
	size_t got;

	if (e->codec != PAGEMAP_ZSTD) {
		int n = LZ4_compress_fast_extState(e->lz4, from, to, (int)len, (int)room, e->acceleration);

		return n > 0 ? (size_t)n : 0;
	}
	got = ZSTD_compressCCtx(e->zstd, to, room, from, len, ZSTD_LEVEL);
	return ZSTD_isError(got) ? 0 : got;
}

int codec_decode(enum pagemap_codec codec, const void *from, size_t len, void *to, size_t room)
{
	size_t got;

	if (codec != PAGEMAP_ZSTD)
		return LZ4_decompress_safe(from, to, (int)len, (int)room) == (int)room ? 0 : -EBADMSG;
	got = ZSTD_decompress(to, room, from, len);
	return !ZSTD_isError(got) && got == room ? 0 : -EBADMSG;
}
