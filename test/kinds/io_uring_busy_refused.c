// SPDX-License-Identifier: GPL-2.0-only
/*
 * A request that waits for something may never complete: it is refused, and keeps working.
 * test: refused='fd \d+: io_uring: .*(wait for other files|1 requests are in flight)'
 */
#include "io_uring.h"

int main(int argc, char **argv)
{
	struct io_uring_sqe *e;
	struct ring r;
	char text[8] = "";
	uint64_t data;
	int res = -1, pipes[2];

	test_init(argc, argv);
	if (!ring_make(&r, 4, 0))
		test_skip("this kernel has no io_uring");
	need(!pipe(pipes), "pipe");
	e = ring_next(&r, IORING_OP_READ, 9);
	e->fd = pipes[0];
	e->addr = (uintptr_t)text;
	e->len = 4;
	e->off = -1;
	ring_publish(&r);
	need(ring_enter(&r, 1, 0) == 1, "submit");
	if (checkpoint_here())
		close(pipes[1]);
	need(write(pipes[1], "abcd", 4) == 4, "write");
	check(ring_enter(&r, 0, 1) == 0 && ring_reap(&r, &data, &res) && data == 9 && res == 4 && !strcmp(text, "abcd"),
	      "the request gave %d: %s", res, text);
	test_done();
}
