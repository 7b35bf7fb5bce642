// SPDX-License-Identifier: GPL-2.0-only
/* Blocks of pages, decoded by threads without libc: those that are damaged are refused, and no memory is allocated for any. */
#include <errno.h>
#include <malloc.h>
#include <stdint.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "memory/bare_thread.h"
#include "memory/codec.h"
#include "util_check.h"

#define CHECK_INT(a, b) CHECK((a) == (b))
#define LEN (256ul << 10)
#define ROOM (2 * LEN)

static char pages[LEN], got[2 * LEN], block[ROOM];

static size_t encode(enum pagemap_codec codec)
{
	struct encoder *e = encoder_new(codec, 1);
	size_t n;

	for (size_t i = 0; i < LEN; i++)
		pages[i] = (char)(i % 97 * (i >> 12));
	n = e ? encoder_run(e, pages, LEN, block, ROOM) : 0;
	encoder_free(e);
	return n;
}

static int decode(enum pagemap_codec codec, size_t len, size_t room)
{
	struct decoder *d = decoder_new();
	const size_t before = mallinfo2().uordblks;
	int err = decoder_run(d, &(struct coded_block){ codec, block, len }, got, room);

	if (mallinfo2().uordblks != before)
		err = -ENOMEM;
	decoder_free(d);
	return err;
}

static void decodes_what_was_encoded(void)
{
	static const enum pagemap_codec codecs[] = { PAGEMAP_LZ4, PAGEMAP_ZSTD };

	for (int i = 0; i < 2; i++) {
		size_t n = encode(codecs[i]);

		CHECK(n > 0 && n < LEN);
		memset(got, 0, LEN);
		CHECK_INT(decode(codecs[i], n, LEN), 0);
		CHECK(!memcmp(got, pages, LEN));
		CHECK_INT(decode(codecs[i], n - 1, LEN), -EBADMSG);
		CHECK_INT(decode(codecs[i], n, LEN - 4096), -EBADMSG);
		CHECK_INT(decode(codecs[i], 3, LEN), -EBADMSG);
	}
}

/* A block is one frame. libzstd itself decodes several, and older formats, for which it allocates memory. */
static void refuses_other_frames(void)
{
	const uint32_t magics[] = { 0xfd2fb527, 0xfd2fb526, 0xfd2fb525, 0xfd2fb524, 0xfd2fb523, 0x184d2a50 };
	size_t n = encode(PAGEMAP_ZSTD);

	memcpy(block + n, block, n);
	CHECK_INT(decode(PAGEMAP_ZSTD, 2 * n, 2 * LEN), -EBADMSG);
	for (size_t i = 0; i < sizeof(magics) / sizeof(*magics); i++) {
		memcpy(block, &magics[i], sizeof(*magics));
		CHECK_INT(decode(PAGEMAP_ZSTD, n, LEN), -EBADMSG);
	}
}

struct seen {
	_Atomic pid_t tid;
	_Atomic int result;
	size_t len;
	struct decoder *decoder;
};

static int decode_in_thread(void *arg)
{
	struct seen *seen = arg;

	atomic_store(&seen->result,
		     decoder_run(seen->decoder, &(struct coded_block){ PAGEMAP_ZSTD, block, seen->len }, got, LEN));
	return 0;
}

/* A number that is free here; it may become somebody's at any time. */
static pid_t start_somewhere(struct bare_thread *t, struct seen *seen)
{
	for (pid_t number = 32000; number > 31000; number--)
		if (!bare_thread_start(t, number, 1, decode_in_thread, seen))
			return number;
	return -1;
}

static void threads_end_without_a_trace(void)
{
	struct seen seen = { .result = 1, .len = encode(PAGEMAP_ZSTD), .decoder = decoder_new() };
	struct bare_thread t = { 0 };
	pid_t number;

	memset(got, 0, LEN);
	number = start_somewhere(&t, &seen);
	CHECK(number > 0);
	bare_thread_end(&t);
	CHECK_INT(atomic_load(&seen.result), 0);
	CHECK(!memcmp(got, pages, LEN));
	CHECK(syscall(SYS_tgkill, getpid(), number, 0) < 0 && errno == ESRCH);
	CHECK(!t.stack);
	/* Nothing runs: nothing happens. */
	bare_thread_end(&t);
	decoder_free(seen.decoder);
}

static void threads_need_a_free_number(void)
{
	struct seen seen = { 0 };
	struct bare_thread t = { 0 };

	CHECK_INT(bare_thread_start(&t, getpid(), 1, decode_in_thread, &seen), -EEXIST);
	CHECK(!t.stack);
	CHECK_INT(bare_thread_start(&t, INT32_MAX, 1, decode_in_thread, &seen), -EINVAL);
	CHECK_INT(bare_thread_start(&t, 31999, 1000, decode_in_thread, &seen), -EINVAL);
}

int main(void)
{
	RUN(decodes_what_was_encoded);
	RUN(refuses_other_frames);
	RUN(threads_end_without_a_trace);
	RUN(threads_need_a_free_number);
	DONE();
}
