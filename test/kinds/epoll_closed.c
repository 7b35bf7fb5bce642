// SPDX-License-Identifier: GPL-2.0-only
/*
 * epoll targets whose descriptor number was closed, or reused for another file, while a dup keeps the open file alive.
 * test: breaks=1
 */
#include "checkpoint.h"
#include <sys/epoll.h>
#include <sys/eventfd.h>

int main(int argc, char **argv)
{
	struct epoll_event e = { .events = EPOLLIN, .data.u64 = 77 };
	int ep, a, b, dup_a, dup_b, brk;

	test_init(argc, argv);
	ep = epoll_create1(0);
	a = eventfd(1, 0);
	b = eventfd(0, 0);
	dup_a = dup(a);
	dup_b = dup(b);
	need(!epoll_ctl(ep, EPOLL_CTL_ADD, a, &e), "add");
	e.data.u64 = 78;
	need(!epoll_ctl(ep, EPOLL_CTL_ADD, b, &e), "add");
	close(a); /* nothing there any more */
	dup2(0, b); /* another file there */
	brk = checkpoint_here();
	if (brk)
		eventfd_write(dup_b, 1);
	memset(&e, 0, sizeof(e));
	check(epoll_wait(ep, &e, 1, 0) == 1 && e.data.u64 == 77, "data %lu", e.data.u64);
	check(eventfd_write(dup_b, 5) == 0, "write");
	uint64_t v;
	check(read(dup_a, &v, 8) == 8 && v == 1, "read");
	check(epoll_wait(ep, &e, 1, 0) == 1 && e.data.u64 == 78, "data %lu", e.data.u64);
	check(read(dup_b, &v, 8) == 8 && v == 5, "value %lu", v);
	check(fcntl(a, F_GETFD) < 0, "the closed number is open again");
	test_done();
}
