// SPDX-License-Identifier: GPL-2.0-only
/*
 * Two threads that write and read a file with direct I/O, many requests at a time: those in flight when the tree is
 * stopped complete, and each is reported once. Events are taken from the ring without the kernel, as libaio does.
 * test: variants=running,restored,thrice breaks=1
 */
#include "aio.h"
#include <pthread.h>

#define DEPTH 32
#define BLOCK 4096

static struct worker {
	pthread_t thread;
	aio_context_t ctx;
	int file;
	bool by_ring; /* takes events from the ring itself */
	uint64_t submitted, done, sum_submitted, sum_done;
	char *blocks;
} workers[2];
static int stop, skips;

static void submit(struct worker *w, unsigned slot)
{
	struct iocb cb = { .aio_data = w->submitted,
			   .aio_lio_opcode = w->submitted & 1 ? IOCB_CMD_PREAD : IOCB_CMD_PWRITE,
			   .aio_fildes = (uint32_t)w->file,
			   .aio_buf = (uintptr_t)w->blocks + slot * BLOCK,
			   .aio_nbytes = BLOCK,
			   .aio_offset = slot * BLOCK };

	need(aio_submit(w->ctx, &cb) == 1, "submit");
	w->sum_submitted += w->submitted++;
}

static void account(struct worker *w, const struct io_event *event)
{
	check(event->res == BLOCK, "request %llu: %lld", event->data, event->res);
	w->sum_done += event->data;
	w->done++;
}

static void take(struct worker *w)
{
	struct io_event events[DEPTH];
	struct ring *ring = aio_ring(w->ctx);
	int n;

	if (w->by_ring && ring->head != __atomic_load_n(&ring->tail, __ATOMIC_ACQUIRE)) {
		account(w, &ring->events[ring->head]);
		__atomic_store_n(&ring->head, (ring->head + 1) % ring->nr, __ATOMIC_RELEASE);
		return;
	}
	n = (int)syscall(SYS_io_getevents, w->ctx, 1, w->by_ring ? 1 : DEPTH, events, NULL);
	for (int i = 0; i < n; i++)
		account(w, &events[i]);
	need(n > 0, "io_getevents: %d", n);
}

static void *work(void *arg)
{
	struct worker *w = arg;

	while (!__atomic_load_n(&stop, __ATOMIC_SEQ_CST)) {
		while (w->submitted - w->done < DEPTH)
			submit(w, w->submitted % DEPTH);
		take(w);
	}
	while (w->done < w->submitted)
		take(w);
	return NULL;
}

static void start(struct worker *w, const char *name)
{
	w->ctx = aio_make(DEPTH);
	w->file = open(test_path(name), O_RDWR | O_CREAT | O_DIRECT, 0600);
	if (w->file < 0)
		test_skip("the file system has no O_DIRECT");
	need(!ftruncate(w->file, DEPTH * BLOCK), "ftruncate");
	w->blocks = map_anon(DEPTH * BLOCK, MAP_PRIVATE);
	need(!pthread_create(&w->thread, NULL, work, w), "thread");
}

int main(int argc, char **argv)
{
	test_init(argc, argv);
	workers[1].by_ring = true;
	start(&workers[0], "one");
	start(&workers[1], "two");
	while (__atomic_load_n(&workers[0].done, __ATOMIC_RELAXED) < 1000 ||
	       __atomic_load_n(&workers[1].done, __ATOMIC_RELAXED) < 1000)
		sleep_ms(1);
	skips = checkpoint_here();
	for (int i = 0; i < 2; i++) {
		uint64_t before = __atomic_load_n(&workers[i].done, __ATOMIC_RELAXED);

		while (__atomic_load_n(&workers[i].done, __ATOMIC_RELAXED) < before + 500)
			sleep_ms(1);
	}
	__atomic_store_n(&stop, 1, __ATOMIC_SEQ_CST);
	for (int i = 0; i < 2; i++) {
		struct worker *w = &workers[i];
		struct io_event event;

		pthread_join(w->thread, NULL);
		w->sum_done += skips;
		check(w->done == w->submitted && w->sum_done == w->sum_submitted, "%lu of %lu, sums %lu %lu", w->done,
		      w->submitted, w->sum_done, w->sum_submitted);
		check(!aio_take(w->ctx, &event, 1), "unexpected event");
	}
	test_done();
}
