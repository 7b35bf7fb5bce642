// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every property of a ring that cannot be recreated is reported, however it is detected: by fdinfo, a failing
 * registration, a kernel thread.
 * test: ignore=SqTotalTime|SqWorkTime|SqThread refused='(?s)(?=.*fd 301: [^\n]*SQPOLL)(?=.*fd 302: [^\n]*SINGLE_ISSUER)(?=.*fd 303: [^\n]*R_DISABLED)(?=.*fd 304: [^\n]*files are registered)(?=.*fd 305: [^\n]*buffers are registered)(?=.*fd 306: [^\n]*provided buffers)(?=.*fd 307: [^\n]*IOPOLL)(?=.*REGISTER_RING_FDS)'
 */
#include "io_uring.h"
#include <sys/uio.h>

#define SINGLE_ISSUER (1u << 12)
#define REGISTER_PBUF_RING 22
#define REGISTER_RING_FDS 20

static char page[4096] __attribute__((aligned(4096)));

static int ring_at(int number, unsigned flags)
{
	struct io_uring_params p = { .flags = flags };
	int fd = (int)syscall(SYS_io_uring_setup, 8, &p);

	if (fd < 0)
		test_skip("this kernel has no io_uring with these flags");
	need(dup2(fd, number) == number && !close(fd), "dup2");
	return number;
}

static void register_with(int fd, unsigned op, void *arg, unsigned nr)
{
	need(syscall(SYS_io_uring_register, fd, op, arg, nr) >= 0, "register %u: %s", op, strerror(errno));
}

int main(int argc, char **argv)
{
	struct iovec buffer = { page, sizeof(page) };
	struct {
		uint64_t addr;
		uint32_t entries;
		uint16_t group, flags;
		uint64_t zero[3];
	} buffers = { (uintptr_t)page, 16, 40000, 0, { 0 } };
	struct {
		uint32_t offset, zero;
		uint64_t fd;
	} slot = { -1u, 0, 308 };
	int zero = 0;

	test_init(argc, argv);
	ring_at(301, IORING_SETUP_SQPOLL);
	ring_at(302, SINGLE_ISSUER);
	ring_at(303, IORING_SETUP_R_DISABLED);
	register_with(ring_at(304, 0), IORING_REGISTER_FILES, &zero, 1);
	register_with(ring_at(305, 0), IORING_REGISTER_BUFFERS, &buffer, 1);
	register_with(ring_at(306, 0), REGISTER_PBUF_RING, &buffers, 1);
	ring_at(307, IORING_SETUP_IOPOLL);
	register_with(ring_at(308, 0), REGISTER_RING_FDS, &slot, 1);

	if (checkpoint_here())
		close(305);

	for (int fd = 301; fd <= 308; fd++)
		check(fcntl(fd, F_GETFD) >= 0, "ring %d is gone", fd);
	check(syscall(SYS_io_uring_enter, slot.offset, 0, 0, (1u << 4), NULL, 0) == 0, "the registered ring");
	test_done();
}
