/* SPDX-License-Identifier: GPL-2.0-only */
/* Shared by both halves of the io_uring kind: the memory of a ring, as mmap(2) of its descriptor returns it. */
#pragma once
#include <linux/io_uring.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "kinds/kinds.h"

#define IO_URING_LAYOUT 15
#define IO_URING_SQ_MAX 32768u

/* A ring of that size, created by this kernel; a negative errno. */
static inline int io_uring_make(uint32_t sq_entries, uint32_t cq_entries, struct io_uring_params *ret_params)
{
	int fd;

	*ret_params = (struct io_uring_params){ .flags = IORING_SETUP_CQSIZE, .cq_entries = cq_entries };
	fd = (int)syscall(SYS_io_uring_setup, sq_entries, ret_params);
	return fd < 0 ? -errno : fd;
}

static inline size_t io_uring_rings_len(const struct io_uring_params *p)
{
	size_t sq = p->sq_off.array + p->sq_entries * sizeof(uint32_t);
	size_t cq = p->cq_off.cqes + p->cq_entries * sizeof(struct io_uring_cqe);

	return sq > cq ? sq : cq;
}

static inline uint32_t *io_uring_word(void *rings, uint32_t offset)
{
	return (uint32_t *)((char *)rings + offset);
}

/* The offsets, in the order used in images. */
static inline void io_uring_layout(const struct io_uring_params *p, uint32_t ret[IO_URING_LAYOUT])
{
	const struct io_sqring_offsets *s = &p->sq_off;
	const struct io_cqring_offsets *c = &p->cq_off;
	const uint32_t all[IO_URING_LAYOUT] = {
		s->head,	 s->tail,     s->ring_mask, s->ring_entries, s->flags,
		s->dropped,	 s->array,    c->head,	    c->tail,	     c->ring_mask,
		c->ring_entries, c->overflow, c->cqes,	    c->flags,	     sizeof(struct io_uring_sqe),
	};

	for (int i = 0; i < IO_URING_LAYOUT; i++)
		ret[i] = all[i];
}

bool io_uring_claims(const struct fd_probe *probe);
int io_uring_save(struct dump *dump, const struct fd_probe *probe, FileEntry *entry);
