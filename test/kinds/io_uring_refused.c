// SPDX-License-Identifier: GPL-2.0-only
/*
 * Properties of a ring that cannot be queried are refused by name and descriptor; the ring is unchanged.
 * test: refused='fd 300: io_uring: .*eventfd is registered'
 */
#include "io_uring.h"
#include <sys/eventfd.h>

int main(int argc, char **argv)
{
	struct ring r;
	uint64_t data, value;
	int res, event = eventfd(0, EFD_NONBLOCK);

	test_init(argc, argv);
	if (!ring_make(&r, 4, 0))
		test_skip("this kernel has no io_uring");
	need(dup2(r.fd, 300) == 300 && !close(r.fd), "dup2");
	r.fd = 300;
	need(!syscall(SYS_io_uring_register, r.fd, IORING_REGISTER_EVENTFD, &event, 1), "register");
	if (checkpoint_here())
		close(300);
	check(read(event, &value, sizeof(value)) < 0, "the eventfd was signalled");
	ring_next(&r, IORING_OP_NOP, 9);
	ring_publish(&r);
	check(ring_enter(&r, 1, 1) == 1 && ring_reap(&r, &data, &res) && data == 9, "a request");
	check(read(event, &value, sizeof(value)) == sizeof(value) && value == 1, "the eventfd was signalled %lu times",
	      value);
	test_done();
}
