/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The contexts of io_setup(2) that an address space has, read out of the kernel's memory: no file and no system call
 * tells what is in flight in them.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "util/array.h"

/* What a program sees of one: fs/aio.c, and libaio, which reads events out of it without the kernel. */
struct aio_ring {
	uint32_t id; /* the kernel's own number of the context */
	uint32_t nr; /* room for so many events, one of which stays empty */
	uint32_t head, tail;
	uint32_t magic, compat_features, incompat_features, header_length;
};
#define AIO_RING_MAGIC 0xa10a10a1u
#define AIO_EVENT_SIZE 32u
/* The most that io_setup(2) makes room for, and some for rounding up. */
#define AIO_RING_LEN_MAX (0x10000000u + (64u << 10))

struct aio_context {
	uint64_t at; /* its address, which is its id for system calls */
	uint64_t len; /* of the ring */
	uint32_t requests; /* what io_setup(2) was asked for */
	uint32_t nr, tail; /* as in the ring, where a program may write */
	uint32_t in_flight; /* submitted and not completed */
	bool for_ever; /* some of them need not end by themselves: IOCB_CMD_POLL */
};
ARRAY_OF(aio_contexts, struct aio_context);

struct aio_reader;
/* As pending_open(). */
int aio_reader_open(struct aio_reader **ret);
void aio_reader_close(struct aio_reader *reader);
/*
 * Those of the process whose /proc/PID/mem @mem is. The process is frozen; requests that end meanwhile do no harm:
 * -EAGAIN, if they do all the time.
 */
int aio_contexts_read(struct aio_reader *reader, int mem, struct aio_contexts *ret);
