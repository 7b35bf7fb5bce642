// SPDX-License-Identifier: GPL-2.0-only
/*
 * A descriptor of a kind that cannot be saved is refused by its name and number.
 * test: refused='fd.*\b300\b.*io_uring|io_uring.*fd.*\b300\b'
 */
#include "checkpoint.h"
#include <linux/io_uring.h>
#include <sys/syscall.h>

int main(int argc, char **argv)
{
	struct io_uring_params params = { 0 };
	int fd;

	test_init(argc, argv);
	fd = (int)syscall(SYS_io_uring_setup, 4, &params);
	if (fd < 0)
		test_skip("this kernel has no io_uring");
	dup2(fd, 300);
	close(fd);
	if (checkpoint_here())
		close(300);
	check(fcntl(300, F_GETFD) >= 0, "the ring is gone");
	check(syscall(SYS_io_uring_enter, 300, 0, 0, 0, NULL, 0) == 0, "enter");
	test_done();
}
