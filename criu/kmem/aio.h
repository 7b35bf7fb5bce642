/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The io_setup(2) contexts of an address space, read from kernel memory: no file and no system call returns their
 * requests in flight.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "util/array.h"

/* A context as mapped into the program: see fs/aio.c, and libaio, which reads events from it without the kernel. */
struct aio_ring {
	uint32_t id; /* the kernel's own id of the context */
	uint32_t nr; /* space for this many events, one of which remains empty */
	uint32_t head, tail;
	uint32_t magic, compat_features, incompat_features, header_length;
};
#define AIO_RING_MAGIC 0xa10a10a1u
#define AIO_EVENT_SIZE 32u
/* The maximum of io_setup(2), with a margin for rounding up. */
#define AIO_RING_LEN_MAX (0x10000000u + (64u << 10))

struct aio_context {
	uint64_t at; /* address, which is its id for system calls */
	uint64_t len; /* of the ring */
	uint32_t requests; /* as passed to io_setup(2) */
	uint32_t nr, tail; /* as in the ring, which the program can overwrite */
	uint32_t in_flight; /* submitted and not completed */
	bool for_ever; /* some of them may never complete: IOCB_CMD_POLL */
};
ARRAY_OF(aio_contexts, struct aio_context);

struct aio_reader;
/* Errors as for pending_open(). */
int aio_reader_open(struct aio_reader **ret);
void aio_reader_close(struct aio_reader *reader);
/*
 * Reads those of the frozen process of which @mem is /proc/PID/mem. Requests may complete meanwhile; -EAGAIN if they do
 * so all the time.
 */
int aio_contexts_read(struct aio_reader *reader, int mem, struct aio_contexts *ret);
