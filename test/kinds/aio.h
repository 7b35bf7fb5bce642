/* SPDX-License-Identifier: GPL-2.0-only */
/* AIO contexts without libaio. */
#ifndef TEST_AIO_H
#define TEST_AIO_H

#include "checkpoint.h"
#include <linux/aio_abi.h>
#include <sys/syscall.h>
#include <time.h>

struct ring {
	unsigned id, nr, head, tail, magic, compat, incompat, header_length;
	struct io_event events[];
};

static inline aio_context_t aio_make(unsigned requests)
{
	aio_context_t ctx = 0;

	if (syscall(SYS_io_setup, requests, &ctx) < 0) {
		if (errno == ENOSYS)
			test_skip("this kernel has no io_setup(2)");
		need(0, "io_setup(%u)", requests);
	}
	return ctx;
}

static inline struct ring *aio_ring(aio_context_t ctx)
{
	return (struct ring *)(uintptr_t)ctx;
}

static inline int aio_submit(aio_context_t ctx, struct iocb *cb)
{
	return (int)syscall(SYS_io_submit, ctx, 1, &cb);
}

/* A no-op request with that data, which completes at once. */
static inline void aio_empty(aio_context_t ctx, int null, uint64_t data)
{
	struct iocb cb = { .aio_data = data, .aio_lio_opcode = IOCB_CMD_PREAD, .aio_fildes = (uint32_t)null };

	need(aio_submit(ctx, &cb) == 1, "submit %lu", data);
}

/* The available events, without waiting. */
static inline int aio_take(aio_context_t ctx, struct io_event *events, int max)
{
	struct timespec now = { 0 };

	return (int)syscall(SYS_io_getevents, ctx, 0, max, events, &now);
}

#endif
