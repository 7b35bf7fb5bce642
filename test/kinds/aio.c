// SPDX-License-Identifier: GPL-2.0-only
/*
 * Contexts of io_setup(2): unread events, in rings that have wrapped around; a full ring; a new, empty one; a gap in
 * the kernel's numbering; a moved ring; requests that signal an eventfd; a waiting thread.
 * test: breaks=4 timeout=120
 */
#include "aio.h"
#include <pthread.h>
#include <sys/eventfd.h>

#define LARGE 5000

static aio_context_t fresh, wrapped, full, large, waited, moved;
static int null, file, signalled, has_woken;
static pid_t waiter_tid;
static unsigned in_full;
static char text[8] __attribute__((aligned(512)));

static void *waiter(void *arg)
{
	struct io_event event;
	long got;

	__atomic_store_n(&waiter_tid, (pid_t)syscall(SYS_gettid), __ATOMIC_SEQ_CST);
	got = syscall(SYS_io_getevents, waited, 1, 1, &event, NULL);
	if (got == 1 && event.data == 77 && event.res == 0)
		__atomic_store_n(&has_woken, 1, __ATOMIC_SEQ_CST);
	return NULL;
}

/* Until the next event goes into slot @want. */
static void advance_to(aio_context_t ctx, unsigned want)
{
	struct io_event event;

	for (uint64_t i = 0; aio_ring(ctx)->tail != want; i++) {
		aio_empty(ctx, null, i);
		need(aio_take(ctx, &event, 1) == 1 && event.data == i, "turn %lu", i);
	}
}

static void fill_up(void)
{
	struct iocb cb = { .aio_lio_opcode = IOCB_CMD_PREAD, .aio_fildes = (uint32_t)null };

	for (in_full = 0;; in_full++) {
		cb.aio_data = 5000 + in_full;
		if (aio_submit(full, &cb) != 1)
			break;
	}
	need(errno == EAGAIN && in_full > 16, "%u in a full ring", in_full);
}

static struct ring *move_ring(aio_context_t ctx)
{
	size_t len = ((size_t)aio_ring(ctx)->nr + 1) * sizeof(struct io_event);
	void *to = map_anon(len + (64 << 12), MAP_PRIVATE);

	to = mremap(aio_ring(ctx), len, len, MREMAP_MAYMOVE | MREMAP_FIXED, (char *)to + (32 << 12));
	need(to != MAP_FAILED, "mremap");
	return to;
}

static void make(void)
{
	struct iocb cb = { .aio_data = 1234,
			   .aio_lio_opcode = IOCB_CMD_PREAD,
			   .aio_buf = (uintptr_t)text,
			   .aio_nbytes = 4,
			   .aio_offset = 3,
			   .aio_flags = IOCB_FLAG_RESFD };
	aio_context_t gap;

	null = open("/dev/null", O_RDONLY);
	signalled = eventfd(0, EFD_NONBLOCK);
	write_file(test_path("file"), "0123456789");
	file = open(test_path("file"), O_RDONLY);
	fresh = aio_make(1);
	gap = aio_make(3);
	wrapped = aio_make(1);
	full = aio_make(20);
	large = aio_make(LARGE);
	waited = aio_make(1);
	need(!syscall(SYS_io_destroy, gap), "io_destroy");
	moved = aio_make(700);
	need(!syscall(SYS_io_destroy, aio_make(8)), "io_destroy");

	/* Three events across the end of the ring: two before it, one after. */
	advance_to(wrapped, aio_ring(wrapped)->nr - 2);
	for (int i = 0; i < 3; i++)
		aio_empty(wrapped, null, 100 + i);
	need(aio_ring(wrapped)->tail == 1, "tail %u", aio_ring(wrapped)->tail);
	advance_to(full, 40);
	fill_up();
	for (int i = 0; i < LARGE; i++)
		aio_empty(large, null, i);
	moved = (uintptr_t)move_ring(moved);
	cb.aio_fildes = (uint32_t)file;
	cb.aio_resfd = (uint32_t)signalled;
	need(aio_submit(moved, &cb) == 1, "read");
}

/* The kernel and the page agree on where events go, for more than one lap. */
static void check_works(aio_context_t ctx, const char *name)
{
	struct io_event event;

	for (uint64_t i = 0; i < 3ul * aio_ring(ctx)->nr + 5; i++) {
		aio_empty(ctx, null, i);
		need(aio_take(ctx, &event, 1) == 1 && event.data == i && !event.res, "%s: request %lu: %llu %lld", name,
		     i, event.data, event.res);
	}
	check(!aio_take(ctx, &event, 1), "%s: unexpected event", name);
}

static void check_full(void)
{
	struct iocb cb = { .aio_data = 1, .aio_lio_opcode = IOCB_CMD_PREAD, .aio_fildes = (uint32_t)null };
	struct io_event event;

	/* A slot for one more would overwrite an unread event. */
	check(aio_submit(full, &cb) < 0 && errno == EAGAIN, "one more in a full ring");
	for (unsigned i = 0; i < in_full; i++)
		need(aio_take(full, &event, 1) == 1 && event.data == 5000 + i, "full: event %u is %llu", i, event.data);
	check(!aio_take(full, &event, 1), "full: unexpected event");
}

static void check_turned(void)
{
	struct io_event events[8];
	int n = aio_take(wrapped, events, 8);

	check(n == 3, "%d events", n);
	for (int i = 0; i < n; i++)
		check(events[i].data == 100ull + i && events[i].obj, "event %d is %llu", i, events[i].data);
}

static void check_large(void)
{
	static struct io_event events[LARGE + 1];
	int n = aio_take(large, events, LARGE + 1);

	check(n == LARGE, "%d events", n);
	for (int i = 0; i < n; i++)
		need(events[i].data == (uint64_t)i, "large: event %d is %llu", i, events[i].data);
}

static void check_eventfd(void)
{
	struct iocb cb = { .aio_lio_opcode = IOCB_CMD_PREAD,
			   .aio_fildes = (uint32_t)file,
			   .aio_buf = (uintptr_t)text,
			   .aio_nbytes = 4,
			   .aio_offset = 6,
			   .aio_flags = IOCB_FLAG_RESFD,
			   .aio_resfd = (uint32_t)signalled };
	struct io_event event;
	uint64_t times = 0;

	check(!strcmp(text, "3456"), "text %s", text);
	check(read(signalled, &times, sizeof(times)) == sizeof(times) && times == 1, "signalled %lu times", times);
	check(aio_take(moved, &event, 1) == 1 && event.data == 1234 && event.res == 4, "read: %llu %lld", event.data,
	      event.res);
	need(aio_submit(moved, &cb) == 1, "submit");
	need(syscall(SYS_io_getevents, moved, 1, 1, &event, NULL) == 1 && event.res == 4, "wait for it");
	check(!strcmp(text, "6789"), "text %s", text);
	check(read(signalled, &times, sizeof(times)) == sizeof(times) && times == 1, "signalled %lu times", times);
}

static void spoil(int brk)
{
	struct io_event event;

	if (brk == 1)
		aio_take(wrapped, &event, 1);
	if (brk == 2)
		aio_ring(large)->events[9].data = 8;
	if (brk == 3)
		aio_empty(waited, null, 1);
	if (brk == 4)
		aio_ring(full)->head++;
}

int main(int argc, char **argv)
{
	const char *names[] = { "fresh", "wrapped", "full", "large", "waited", "moved" };
	pthread_t thread;

	test_init(argc, argv);
	make();
	need(!pthread_create(&thread, NULL, waiter, NULL), "thread");
	while (!__atomic_load_n(&waiter_tid, __ATOMIC_SEQ_CST))
		sleep_ms(1);
	await_syscall(waiter_tid, SYS_io_getevents);
	spoil(checkpoint_here());

	check_turned();
	check_full();
	check_large();
	check_eventfd();
	check(!has_woken, "the thread has woken");
	aio_empty(waited, null, 77);
	pthread_join(thread, NULL);
	check(has_woken, "the thread did not get its event");
	for (int i = 0; i < 6; i++) {
		const aio_context_t all[] = { fresh, wrapped, full, large, waited, moved };

		check_works(all[i], names[i]);
		check(!syscall(SYS_io_destroy, all[i]), "io_destroy of %s", names[i]);
		check(syscall(SYS_io_destroy, all[i]) < 0 && errno == EINVAL, "%s still exists", names[i]);
	}
	test_done();
}
