// SPDX-License-Identifier: GPL-2.0-only
/* Contexts of io_setup(2): the requested size, the kernel's tail, requests in flight, over all CPUs. */
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <poll.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kmem/aio.h"
#include "util_check.h"

static struct aio_reader *reader;
static int mem;

static struct aio_context inspect(aio_context_t ctx, size_t *ret_all)
{
	struct aio_context found = { 0 };
	struct aio_contexts all = { 0 };
	int err = aio_contexts_read(reader, mem, &all);

	for (size_t i = 0; i < all.n; i++)
		if (all.v[i].at == ctx)
			found = all.v[i];
	*ret_all = err ? 1000 : all.n;
	array_free(&all);
	return found;
}

/* From each CPU that we may use: each reserves slots of its own. Returns how many were submitted. */
static unsigned on_all_cpus(aio_context_t ctx, int op, int fd, unsigned n)
{
	struct iocb cb = { .aio_lio_opcode = op, .aio_fildes = fd, .aio_buf = op == IOCB_CMD_POLL ? POLLIN : 0 };
	struct iocb *p = &cb;
	cpu_set_t before, one;
	unsigned done = 0;

	if (sched_getaffinity(0, sizeof(before), &before))
		return 0;
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		if (!CPU_ISSET(cpu, &before) || sched_setaffinity(0, sizeof(one), &one))
			continue;
		for (unsigned i = 0; i < n; i++)
			done += syscall(SYS_io_submit, ctx, 1, &p) == 1;
	}
	sched_setaffinity(0, sizeof(before), &before);
	return done;
}

static void one_context(void)
{
	aio_context_t ctx = 0;
	const struct aio_ring *ring;
	struct aio_context c;
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC), ends[2];
	struct timespec now = { 0 };
	struct io_event events[64];
	uint32_t done;
	size_t n;

	CHECK(!syscall(SYS_io_setup, 333, &ctx) && !pipe2(ends, O_CLOEXEC));
	ring = (const struct aio_ring *)ctx;
	c = inspect(ctx, &n);
	CHECK(n == 1 && c.requests == 333 && c.nr == ring->nr && !c.tail && !c.in_flight && !c.for_ever);
	CHECK(c.len % 4096 == 0 && c.len / AIO_EVENT_SIZE - 1 == c.nr && ring->magic == AIO_RING_MAGIC);
	done = on_all_cpus(ctx, IOCB_CMD_PREAD, null, 5);
	CHECK(done == ring->tail);
	c = inspect(ctx, &n);
	CHECK(done >= 5 && c.tail == done && !c.in_flight && !c.for_ever);
	CHECK(on_all_cpus(ctx, IOCB_CMD_POLL, ends[0], 3) == done / 5 * 3);
	c = inspect(ctx, &n);
	CHECK(c.tail == done && c.in_flight == done / 5 * 3 && c.for_ever);
	CHECK(syscall(SYS_io_getevents, ctx, 0, 2, events, &now) == 2);
	c = inspect(ctx, &n);
	CHECK(c.in_flight == done / 5 * 3);
	CHECK(write(ends[1], "x", 1) == 1);
	while (ring->tail != done + done / 5 * 3)
		usleep(1000); /* style: what is waited for is what is tested */
	c = inspect(ctx, &n);
	CHECK(c.tail == ring->tail && !c.in_flight && !c.for_ever);
	CHECK(!syscall(SYS_io_destroy, ctx));
	inspect(ctx, &n);
	CHECK(n == 0);
	close(null);
	close(ends[0]);
	close(ends[1]);
}

int main(void)
{
	int err = aio_reader_open(&reader);

	mem = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
	if (err || mem < 0) {
		printf("skip aio: not available to this user, or in this kernel: %s\n", strerror(-err));
		DONE();
	}
	RUN(one_context);
	aio_reader_close(reader);
	DONE();
}
