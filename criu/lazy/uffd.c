// SPDX-License-Identifier: GPL-2.0-only
#include "lazy/uffd.h"
#include <errno.h>
#include <sys/ioctl.h>

#ifndef UFFDIO_POISON /* Linux 6.6 */
struct uffdio_poison {
	struct uffdio_range range;
	__u64 mode;
	__s64 updated;
};
#define UFFDIO_POISON _IOWR(UFFDIO, 0x08, struct uffdio_poison)
#endif

/* @count: as the kernel has left it: how much was done, or why nothing was. */
static int result(int failed, int64_t count, uint64_t *ret_done)
{
	int err = failed ? -errno : 0;

	*ret_done = count > 0 ? (uint64_t)count : 0;
	return count > 0 ? 0 : err;
}

int uffd_copy(int uffd, uint64_t to, const void *from, uint64_t len, uint64_t *ret_done)
{
	struct uffdio_copy copy = { .dst = to, .src = (uintptr_t)from, .len = len };
	int failed = ioctl(uffd, UFFDIO_COPY, &copy);

	return result(failed, copy.copy, ret_done);
}

int uffd_zero(int uffd, uint64_t to, uint64_t len, uint64_t *ret_done)
{
	struct uffdio_zeropage zero = { .range = { to, len } };
	int failed = ioctl(uffd, UFFDIO_ZEROPAGE, &zero);

	return result(failed, zero.zeropage, ret_done);
}

int uffd_poison(int uffd, uint64_t to, uint64_t len, uint64_t *ret_done)
{
	struct uffdio_poison poison = { .range = { to, len } };
	int failed = ioctl(uffd, UFFDIO_POISON, &poison);

	return result(failed, poison.updated, ret_done);
}

void uffd_wake(int uffd, uint64_t at, uint64_t len)
{
	struct uffdio_range range = { at, len };

	ioctl(uffd, UFFDIO_WAKE, &range);
}
