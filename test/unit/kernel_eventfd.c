// SPDX-License-Identifier: GPL-2.0-only
/* Whether an eventfd is a semaphore, from kernel memory: of one that has been duplicated and used, too. */
#include <stdbool.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "kmem/eventfd_mode.h"
#include "util_check.h"

static struct eventfd_reader *reader;

static int semaphore(int fd)
{
	bool is = false;
	int err = eventfd_is_semaphore(reader, fd, &is);

	return err ? err : is;
}

static void modes(void)
{
	int counter = eventfd(0, EFD_CLOEXEC), sem = eventfd(3, EFD_SEMAPHORE | EFD_NONBLOCK), copy = dup(sem);
	eventfd_t value;

	CHECK(semaphore(counter) == 0);
	CHECK(semaphore(sem) == 1);
	CHECK(!eventfd_read(sem, &value) && value == 1);
	CHECK(semaphore(copy) == 1);
	CHECK(semaphore(-1) < 0);
}

int main(void)
{
	int err = eventfd_reader_open(&reader);

	if (err) {
		printf("skip modes: not available to this user, or in this kernel: %s\n", strerror(-err));
		DONE();
	}
	RUN(modes);
	eventfd_reader_close(reader);
	DONE();
}
