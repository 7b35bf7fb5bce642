// SPDX-License-Identifier: GPL-2.0-only
/*
 * Idle rings: wrapped counters, unread completions, entries written but not submitted, a thread that waits for a
 * completion, a ring that a child inherits.
 * test: breaks=2 flavours=host,user,owned
 */
#include "io_uring.h"
#include <pthread.h>

#define OLD 1003

static struct ring busy, waited, shared;
static volatile int woken;

static void *waiter(void *arg)
{
	uint64_t data;
	int res;

	if (ring_enter(&waited, 0, 1) >= 0 && ring_reap(&waited, &data, &res) && data == 77)
		woken = 1;
	return NULL;
}

static void wrap_around(struct ring *r, uint64_t times)
{
	uint64_t data;
	int res;

	for (uint64_t i = 0; i < times; i++) {
		ring_next(r, IORING_OP_NOP, i);
		ring_publish(r);
		need(ring_enter(r, 1, 1) == 1 && ring_reap(r, &data, &res) && data == i, "empty request %lu", i);
	}
}

static int child(void *arg)
{
	uint64_t data;
	int res;

	checkpoint_task("child", 0);
	ring_next(&shared, IORING_OP_NOP, 5);
	ring_publish(&shared);
	check(ring_enter(&shared, 1, 1) == 1 && ring_reap(&shared, &data, &res) && data == 5, "the child's request");
	return 0;
}

static void real_work(void)
{
	char text[16] = "";
	struct io_uring_sqe *e;
	uint64_t data = 0;
	int file, res = 0;

	write_file(test_path("file"), "0123456789");
	file = open(test_path("file"), O_RDONLY);
	e = ring_next(&busy, IORING_OP_READ, 1234);
	e->fd = file;
	e->addr = (uintptr_t)text;
	e->len = 4;
	e->off = 3;
	ring_publish(&busy);
	check(ring_enter(&busy, 1, 1) == 1, "submit a read");
	check(ring_reap(&busy, &data, &res) && data == 1234 && res == 4 && !strcmp(text, "3456"), "read: %lu %d %s",
	      data, res, text);
}

int main(int argc, char **argv)
{
	pthread_t thread;
	uint64_t data;
	pid_t pid;
	int res;

	test_init(argc, argv);
	if (!ring_make(&busy, 8, 0))
		test_skip("this kernel has no io_uring");
	need(ring_make(&waited, 1, 0) && ring_make(&shared, 4096, 0), "more rings");
	wrap_around(&busy, OLD);
	for (int i = 0; i < 3; i++)
		ring_next(&busy, IORING_OP_NOP, 100 + i);
	ring_publish(&busy);
	need(ring_enter(&busy, 3, 3) == 3, "unread completions");
	ring_next(&busy, IORING_OP_NOP, 200);
	ring_publish(&busy); /* visible to the kernel, but not submitted */
	ring_next(&busy, IORING_OP_NOP, 201); /* not visible yet */
	pid = fork_task(child, NULL);
	need(!pthread_create(&thread, NULL, waiter, NULL), "thread");
	await_task("child");
	usleep(10000);

	switch (checkpoint_here()) {
	case 1:
		ring_reap(&busy, &data, &res);
		break;
	case 2:
		busy.sqes[(OLD + 4) & 7].user_data = 1;
		break;
	}

	check(!woken, "the thread got a spurious completion");
	for (int i = 0; i < 3; i++)
		check(ring_reap(&busy, &data, &res) && data == 100u + i && !res, "unread completion %d is %lu", i,
		      data);
	check(!ring_reap(&busy, &data, &res), "unexpected completion: %lu", data);
	ring_publish(&busy);
	check(ring_enter(&busy, 8, 2) == 2, "submit pending entries");
	for (int i = 0; i < 2; i++)
		check(ring_reap(&busy, &data, &res) && data == 200u + i, "entry %d is %lu", i, data);
	real_work();
	wrap_around(&busy, 20);
	ring_next(&waited, IORING_OP_NOP, 77);
	ring_publish(&waited);
	check(ring_enter(&waited, 1, 0) == 1, "wake the thread");
	pthread_join(thread, NULL);
	check(woken, "the thread was not woken");
	join_task(pid);
	test_done();
}
