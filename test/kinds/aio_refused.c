// SPDX-License-Identifier: GPL-2.0-only
/*
 * State that cannot be recreated: a request that waits for something; a ring that a child has inherited; an overwritten
 * header; a ring with two protections. Each is refused by name; everything keeps working.
 * test: breaks=1 refused='(?s)(?=.*AIO context 0x\w+: 1 requests are in flight.*IOCB_CMD_POLL)(?=.*710000000000-\w+ /\[aio\]: .*inherited by fork)(?=.*700000000000-\w+ /\[aio\]: .*overwritten)(?=.*730000000000-\w+ /\[aio\]: part of the ring)'
 */
#include "aio.h"
#include <poll.h>

static struct ring *place(aio_context_t *ctx, uintptr_t at)
{
	size_t len = ((size_t)aio_ring(*ctx)->nr + 1) * sizeof(struct io_event);

	need(mremap(aio_ring(*ctx), len, len, MREMAP_MAYMOVE | MREMAP_FIXED, (void *)at) == (void *)at, "mremap");
	*ctx = at;
	return aio_ring(at);
}

static int child(void *arg)
{
	const struct ring *ring = arg;

	checkpoint_task("child", 0);
	check(ring->head == 0 && ring->tail == 1, "head %u tail %u", ring->head, ring->tail);
	return 0;
}

int main(int argc, char **argv)
{
	struct iocb cb = { .aio_data = 5, .aio_lio_opcode = IOCB_CMD_POLL, .aio_buf = POLLIN };
	aio_context_t polls, inherited, overwritten, halves;
	int null = open("/dev/null", O_RDONLY), pipes[2];
	struct io_event event;
	struct ring *ring;
	pid_t pid;

	test_init(argc, argv);
	inherited = aio_make(10);
	ring = place(&inherited, 0x710000000000);
	aio_empty(inherited, null, 9);
	pid = fork_task(child, ring);
	overwritten = aio_make(10);
	place(&overwritten, 0x700000000000)->tail = 3;
	polls = aio_make(10);
	need(!pipe(pipes), "pipe");
	cb.aio_fildes = (uint32_t)pipes[0];
	need(aio_submit(polls, &cb) == 1, "poll");
	halves = aio_make(300);
	ring = place(&halves, 0x730000000000);
	need(!mprotect(ring, 4096, PROT_READ), "mprotect");
	await_task("child");
	if (checkpoint_here())
		close(pipes[0]), close(pipes[1]);

	need(write(pipes[1], "x", 1) == 1, "write");
	check(syscall(SYS_io_getevents, polls, 1, 1, &event, NULL) == 1 && event.data == 5 && event.res & POLLIN,
	      "poll: %llu %lld", event.data, event.res);
	join_task(pid);
	aio_empty(inherited, null, 10);
	check(aio_take(inherited, &event, 1) == 1 && event.data == 9, "the first of two");
	test_done();
}
