/* SPDX-License-Identifier: GPL-2.0-only */
#include "memory/codec.h"
#include <errno.h>
#include <lz4.h>
#include <stdlib.h>
#include <string.h>
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

/* LZ4 needs none. */
struct decoder *decoder_new(void)
{
	return (struct decoder *)ZSTD_createDCtx();
}

void decoder_free(struct decoder *d)
{
	ZSTD_freeDCtx((ZSTD_DCtx *)d);
}

/* One frame, and no older format (which libzstd would allocate memory for). */
static bool is_frame(const void *from, size_t len)
{
	uint32_t magic;

	if (len < sizeof(magic))
		return false;
	memcpy(&magic, from, sizeof(magic));
	return magic == ZSTD_MAGICNUMBER && ZSTD_findFrameCompressedSize(from, len) == len;
}

int decoder_run(struct decoder *d, const struct coded_block *from, void *to, size_t room)
{
	size_t got;

	if (from->codec != PAGEMAP_ZSTD)
		return LZ4_decompress_safe(from->at, to, (int)from->len, (int)room) == (int)room ? 0 : -EBADMSG;
	if (!is_frame(from->at, from->len))
		return -EBADMSG;
	got = ZSTD_decompressDCtx((ZSTD_DCtx *)d, to, room, from->at, from->len);
	return !ZSTD_isError(got) && got == room ? 0 : -EBADMSG;
}
