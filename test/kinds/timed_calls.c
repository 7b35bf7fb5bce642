// SPDX-License-Identifier: GPL-2.0-only
/*
 * Threads that wait with a limit go on for what is left of it, with their registers as they were: read(2) of how long
 * they had to wait is left to the kernel, so it has to be told anew.
 * test: breaks=1 timeout=120 skip="test -e /sys/kernel/btf/vmlinux"
 */
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <time.h>
#include "checkpoint.h"

#define LIMIT_MS 9000L
#define BEFORE_MS 6500L
/* Behind the checkpoint: a whole limit would end later, what is left ends long before. */
#define AFTER_MS 8000L
#define FAR_MS 3600000L

static struct timespec limit = { LIMIT_MS / 1000, LIMIT_MS % 1000 * 1000000 }, far_off = { FAR_MS / 1000, 0 };
static uint32_t word = 7;
static struct pollfd silent = { .events = POLLIN };

struct call {
	const char *name;
	long nr, args[4], result;
	/* what came of it */
	pid_t tid;
	double end;
	long got, after[4];
	pthread_t thread;
};
#define CALL(what, number, value, ...)                                               \
	{                                                                            \
		.name = what, .nr = number, .args = { __VA_ARGS__ }, .result = value \
	}

static struct call calls[] = {
	CALL("poll", SYS_poll, 0, (long)&silent, 1, LIMIT_MS),
	CALL("poll of nothing", SYS_poll, 0, 0, 0, LIMIT_MS),
	CALL("nanosleep", SYS_nanosleep, 0, (long)&limit, 0),
	CALL("clock_nanosleep", SYS_clock_nanosleep, 0, CLOCK_BOOTTIME, 0, (long)&limit, 0),
	CALL("clock_nanosleep of the wall clock", SYS_clock_nanosleep, 0, CLOCK_REALTIME, 0, (long)&limit, 0),
	CALL("futex", SYS_futex, -ETIMEDOUT, (long)&word, FUTEX_WAIT_PRIVATE, 7, (long)&limit),
	CALL("futex, shared", SYS_futex, -ETIMEDOUT, (long)&word, FUTEX_WAIT, 7, (long)&limit),
};
/* What ends them is no limit. */
static struct call woken[] = {
	CALL("woken futex", SYS_futex, 0, (long)&word, FUTEX_WAIT_PRIVATE, 7, (long)&far_off),
	CALL("poll for ever", SYS_poll, 1, (long)&silent, 1, -1),
	CALL("woken poll", SYS_poll, 1, (long)&silent, 1, FAR_MS),
};
#define N (sizeof(calls) / sizeof(*calls))
#define NR_WOKEN (sizeof(woken) / sizeof(*woken))

static void *wait_in(void *arg)
{
	struct call *c = arg;
	register long r10 __asm__("r10");
	long a = c->args[0], b = c->args[1], d = c->args[2], nr = c->nr;

	__atomic_store_n(&c->tid, (pid_t)syscall(SYS_gettid), __ATOMIC_SEQ_CST);
	r10 = c->args[3]; /* no call may come in between */
	__asm__ volatile("syscall" : "+a"(nr), "+D"(a), "+S"(b), "+d"(d), "+r"(r10)::"rcx", "r11", "memory");
	c->after[3] = r10;
	c->after[0] = a;
	c->after[1] = b;
	c->after[2] = d;
	c->got = nr;
	c->end = now_s();
	return NULL;
}

static void start(struct call *c)
{
	need(!pthread_create(&c->thread, NULL, wait_in, c), "%s", c->name);
	while (!__atomic_load_n(&c->tid, __ATOMIC_SEQ_CST))
		sleep_ms(1);
	await_syscall(c->tid, c->nr);
}

static void must_be_as_before(const struct call *c)
{
	check(c->got == c->result, "%s returns %ld", c->name, c->got);
	for (int i = 0; i < 4; i++)
		check(c->after[i] == c->args[i], "%s: argument %d is %lx, not %lx", c->name, i, c->after[i],
		      c->args[i]);
}

int main(int argc, char **argv)
{
	double begin, at;
	int ends[2];

	test_init(argc, argv);
	need(!pipe(ends), "pipe");
	silent.fd = ends[0];
	begin = now_s();
	for (size_t i = 0; i < N; i++)
		start(&calls[i]);
	for (size_t i = 0; i < NR_WOKEN; i++)
		start(&woken[i]);
	sleep_ms(BEFORE_MS - (long)((now_s() - begin) * 1000));
	if (checkpoint_here())
		sleep_ms(LIMIT_MS), calls[0].args[0]++;
	at = now_s();
	for (size_t i = 0; i < N; i++) {
		struct call *c = &calls[i];

		pthread_join(c->thread, NULL);
		check(c->end - begin >= LIMIT_MS / 1000.0, "%s took only %.3f s", c->name, c->end - begin);
		check(c->end - at < AFTER_MS / 1000.0, "%s waited for %.3f s more", c->name, c->end - at);
		must_be_as_before(c);
	}
	need(write(ends[1], "x", 1) == 1, "write");
	while (syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1) != 1)
		sleep_ms(1);
	for (size_t i = 0; i < NR_WOKEN; i++) {
		pthread_join(woken[i].thread, NULL);
		must_be_as_before(&woken[i]);
	}
	test_done();
}
