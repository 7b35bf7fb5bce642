/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef TEST_EPOLL_H
#define TEST_EPOLL_H
#include <sys/epoll.h>
#include "checkpoint.h"

static inline void add(int ep, int fd, uint32_t events, uint64_t data)
{
	struct epoll_event e = { .events = events, .data.u64 = data };

	need(!epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e), "add %d", fd);
}

/* Which data values are reported now, as a bit mask (values below 64). */
static inline uint64_t reported(int ep)
{
	struct epoll_event e[64];
	uint64_t mask = 0;
	int n = epoll_wait(ep, e, 64, 0);

	for (int i = 0; i < n; i++)
		mask |= 1UL << e[i].data.u64;
	return mask;
}

#endif
