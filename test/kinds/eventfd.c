// SPDX-License-Identifier: GPL-2.0-only
/* test: flavours=host,pid breaks=2 decode=yes user-root=host */
#include "checkpoint.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	uint64_t value;
	int counter, sem, full, copy;

	test_init(argc, argv);
	counter = eventfd(41, EFD_CLOEXEC);
	sem = eventfd(3, EFD_SEMAPHORE | EFD_NONBLOCK);
	full = eventfd(0, EFD_NONBLOCK);
	copy = fcntl(counter, F_DUPFD, 700);
	need(counter >= 0 && sem >= 0 && full >= 0 && copy >= 700, "eventfd");
	value = UINT64_MAX - 1;
	need(write(full, &value, 8) == 8, "fill");

	switch (checkpoint_here()) {
	case 1:
		eventfd_write(counter, 1);
		break;
	case 2:
		eventfd_read(sem, &value);
	}

	check(fcntl(counter, F_GETFD) == FD_CLOEXEC, "flags of %d", counter);
	check(fcntl(copy, F_GETFD) == 0, "flags of the copy");
	check(read(copy, &value, 8) == 8 && value == 41, "the counter is %lu", value);
	check(!(fcntl(counter, F_GETFL) & O_NONBLOCK), "became non-blocking");
	check(!eventfd_write(counter, 5) && read(copy, &value, 8) == 8 && value == 5, "the copy is another eventfd");
	for (int i = 0; i < 3; i++)
		check(read(sem, &value, 8) == 8 && value == 1, "semaphore read %d gives %lu", i, value);
	check(read(sem, &value, 8) < 0 && errno == EAGAIN, "the semaphore is not 0");
	value = 1;
	check(write(full, &value, 8) < 0 && errno == EAGAIN, "the full one accepts more");
	check(read(full, &value, 8) == 8 && value == UINT64_MAX - 1, "the full one is %lu", value);
	test_done();
}
