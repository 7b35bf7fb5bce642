/* SPDX-License-Identifier: GPL-2.0-only */
/* A ring as used by libraries: the program's counters are its own copies, which it never reads back. */
#ifndef TEST_IO_URING_H
#define TEST_IO_URING_H
#include "checkpoint.h"
#include <linux/io_uring.h>
#include <sys/syscall.h>

struct ring {
	int fd;
	struct io_uring_params p;
	char *sq, *cq;
	struct io_uring_sqe *sqes;
	uint32_t sq_tail, cq_head; /* copies */
};

static inline uint32_t *ring_word(char *base, uint32_t offset)
{
	return (uint32_t *)(base + offset);
}

static inline bool ring_make(struct ring *r, unsigned entries, unsigned flags)
{
	memset(r, 0, sizeof(*r));
	r->p.flags = flags;
	r->fd = (int)syscall(SYS_io_uring_setup, entries, &r->p);
	if (r->fd < 0)
		return false;
	r->sq = mmap(NULL, r->p.sq_off.array + r->p.sq_entries * 4, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
		     r->fd, IORING_OFF_SQ_RING);
	r->cq = mmap(NULL, r->p.cq_off.cqes + r->p.cq_entries * sizeof(struct io_uring_cqe), PROT_READ | PROT_WRITE,
		     MAP_SHARED, r->fd, IORING_OFF_CQ_RING);
	r->sqes = mmap(NULL, r->p.sq_entries * sizeof(*r->sqes), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
		       r->fd, IORING_OFF_SQES);
	need(r->sq != MAP_FAILED && r->cq != MAP_FAILED && r->sqes != MAP_FAILED, "map a ring");
	return true;
}

/* Writes an entry that is invisible to the kernel until ring_publish(). */
static inline struct io_uring_sqe *ring_next(struct ring *r, int opcode, uint64_t data)
{
	uint32_t at = r->sq_tail++ & (r->p.sq_entries - 1);

	memset(&r->sqes[at], 0, sizeof(r->sqes[at]));
	r->sqes[at].opcode = opcode;
	r->sqes[at].user_data = data;
	ring_word(r->sq, r->p.sq_off.array)[at] = at;
	return &r->sqes[at];
}

static inline void ring_publish(struct ring *r)
{
	__atomic_store_n(ring_word(r->sq, r->p.sq_off.tail), r->sq_tail, __ATOMIC_RELEASE);
}

static inline int ring_enter(struct ring *r, unsigned submit, unsigned wait)
{
	return (int)syscall(SYS_io_uring_enter, r->fd, submit, wait, wait ? IORING_ENTER_GETEVENTS : 0, NULL, 0);
}

/* False if there is no completion. */
static inline bool ring_reap(struct ring *r, uint64_t *ret_data, int *ret_res)
{
	struct io_uring_cqe *cqes = (void *)(r->cq + r->p.cq_off.cqes), *cqe;

	if (__atomic_load_n(ring_word(r->cq, r->p.cq_off.tail), __ATOMIC_ACQUIRE) == r->cq_head)
		return false;
	cqe = &cqes[r->cq_head & (r->p.cq_entries - 1)];
	*ret_data = cqe->user_data;
	*ret_res = cqe->res;
	__atomic_store_n(ring_word(r->cq, r->p.cq_off.head), ++r->cq_head, __ATOMIC_RELEASE);
	return true;
}
#endif
