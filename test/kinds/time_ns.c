// SPDX-License-Identifier: GPL-2.0-only
/*
 * Clocks that count since boot continue from the dump, in whatever boot the tree is restored: all of them, by the vDSO
 * and by system calls, in every thread and process; timers, timerfds, interval timers and absolute waits follow them.
 * test: boots=others breaks=4 decode=yes ignore=ticks user-root=host
 */
#include "checkpoint.h"
#include <linux/futex.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <time.h>

#define FAR 3000.0
#define SOON 2.0
#define TICK 0.1
#define SLACK 0.5 /* a busy machine */

static const clockid_t clocks[] = { CLOCK_MONOTONIC, CLOCK_MONOTONIC_RAW, CLOCK_MONOTONIC_COARSE, CLOCK_BOOTTIME };
#define NR_CLOCKS (int)(sizeof(clocks) / sizeof(clocks[0]))

struct readings {
	double clock[NR_CLOCKS], direct[NR_CLOCKS], real;
};

static double until; /* CLOCK_MONOTONIC: end of the waits */
static struct readings before;

static double to_s(struct timespec ts)
{
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static struct timespec from_s(double s)
{
	return (struct timespec){ (time_t)s, (long)((s - (double)(time_t)s) * 1e9) };
}

static double read_clock(clockid_t clock)
{
	struct timespec ts = { 0 };

	need(!clock_gettime(clock, &ts), "clock %d", clock);
	return to_s(ts);
}

static struct readings read_all(void)
{
	struct readings r;
	struct timespec ts;

	for (int i = 0; i < NR_CLOCKS; i++) {
		r.clock[i] = read_clock(clocks[i]);
		need(!syscall(SYS_clock_gettime, clocks[i], &ts), "clock %d", clocks[i]);
		r.direct[i] = to_s(ts);
	}
	r.real = read_clock(CLOCK_REALTIME);
	return r;
}

/* The COARSE clock lags behind by a tick of the kernel. */
static void check_clocks(const struct readings *was, const char *who)
{
	struct readings now = read_all();
	double real = now.real - was->real;

	for (int i = 0; i < NR_CLOCKS; i++) {
		double went = now.clock[i] - was->clock[i];

		check(went >= 0, "%s: clock %d went backwards by %f s", who, clocks[i], -went);
		check(went <= real + SLACK, "%s: clock %d advanced by %f s in %f s", who, clocks[i], went, real);
		check(now.direct[i] >= now.clock[i] - 0.02 && now.direct[i] <= now.clock[i] + SLACK,
		      "%s: clock %d: %f by the vDSO, %f by the system call", who, clocks[i], now.clock[i],
		      now.direct[i]);
	}
}

static int child(void *arg)
{
	struct readings was = read_all();

	checkpoint_task("child", 0);
	check_clocks(&was, "child");
	return 0;
}

static void check_ended(const char *what)
{
	double now = read_clock(CLOCK_MONOTONIC);

	check(now >= until && now < until + 20, "%s returned at %f, not at %f", what, now, until);
	/* On a busy machine this may be before the dump has completed and been compared: the thread keeps running. */
	wait_go(0);
}

static void *wait_futex(void *arg)
{
	struct timespec end = from_s(until);
	uint32_t word = 0;

	while (syscall(SYS_futex, &word, FUTEX_WAIT_BITSET, 0, &end, NULL, ~0u) < 0 && errno == EINTR)
		;
	check_ended("a futex wait");
	return NULL;
}

static void *wait_cond(void *arg)
{
	struct timespec end = from_s(until);
	pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	pthread_condattr_t attr;
	pthread_cond_t cond;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&cond, &attr);
	pthread_mutex_lock(&lock);
	while (pthread_cond_timedwait(&cond, &lock, &end) != ETIMEDOUT)
		;
	check_ended("a condition");
	return NULL;
}

static void *wait_sem(void *arg)
{
	struct timespec end = from_s(until);
	sem_t sem;

	sem_init(&sem, 0, 0);
	while (sem_clockwait(&sem, CLOCK_MONOTONIC, &end) < 0 && errno == EINTR)
		;
	check_ended("a semaphore");
	return NULL;
}

static void *sleep_until(void *arg)
{
	struct timespec end = from_s(until);

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &end, NULL) == EINTR)
		;
	check_ended("an absolute sleep");
	check_clocks(&before, "thread");
	return NULL;
}

/* The remaining time must match the clock: the timer was set to an absolute time. */
static void check_left(const char *what, double left, clockid_t clock, double end)
{
	double now = read_clock(clock);

	check(left >= end - now - 0.001 && left <= end - now + SLACK, "%s: %f s remain, until %f, at %f", what, left,
	      end, now);
}

static timer_t make_timer(clockid_t clock, double end, double every)
{
	struct sigevent none = { .sigev_notify = SIGEV_NONE };
	struct itimerspec its = { .it_value = from_s(end), .it_interval = from_s(every) };
	timer_t timer;

	need(!timer_create(clock, &none, &timer) && !timer_settime(timer, TIMER_ABSTIME, &its, NULL), "timer of %d",
	     clock);
	return timer;
}

static double timer_left(timer_t timer)
{
	struct itimerspec its = { 0 };

	need(!timer_gettime(timer, &its), "timer_gettime");
	return to_s(its.it_value);
}

static int make_timerfd(clockid_t clock, double end, double every)
{
	struct itimerspec its = { .it_value = from_s(end), .it_interval = from_s(every) };
	int fd = timerfd_create(clock, TFD_NONBLOCK);

	need(fd >= 0 && !timerfd_settime(fd, TFD_TIMER_ABSTIME, &its, NULL), "timerfd of %d", clock);
	return fd;
}

static double timerfd_left(int fd)
{
	struct itimerspec its = { 0 };

	need(!timerfd_gettime(fd, &its), "timerfd_gettime");
	return to_s(its.it_value);
}

int main(int argc, char **argv)
{
	void *(*const waits[])(void *) = { wait_futex, wait_cond, wait_sem, sleep_until };
	struct itimerval it = { .it_value = { (time_t)FAR, 0 } };
	double mono, boot, began, went, up;
	pthread_t threads[4];
	timer_t tm, tb;
	int fm, fb, beat, brk;
	struct sysinfo info;
	uint64_t ticks = 0;
	pid_t pid;

	test_init(argc, argv);
	pid = fork_task(child, NULL);
	await_task("child");
	before = read_all();
	began = mono = before.clock[0];
	boot = before.clock[3];
	until = mono + SOON;
	tm = make_timer(CLOCK_MONOTONIC, mono + FAR, 0);
	tb = make_timer(CLOCK_BOOTTIME, boot + FAR, 0);
	fm = make_timerfd(CLOCK_MONOTONIC, mono + FAR, 0);
	fb = make_timerfd(CLOCK_BOOTTIME, boot + FAR, 0);
	beat = make_timerfd(CLOCK_MONOTONIC, mono + TICK, TICK);
	setitimer(ITIMER_REAL, &it, NULL);
	sysinfo(&info);
	up = (double)info.uptime;
	for (int i = 0; i < 4; i++)
		need(!pthread_create(&threads[i], NULL, waits[i], NULL), "thread");
	for (int i = 0; i < 4; i++)
		sleep_ms(1);

	brk = checkpoint_here();
	if (brk == 1)
		before.clock[0] += FAR;
	if (brk == 2)
		make_timer(CLOCK_MONOTONIC, mono, 0), tm = make_timer(CLOCK_MONOTONIC, mono + 2 * FAR, 0);
	if (brk == 3)
		fb = make_timerfd(CLOCK_BOOTTIME, boot + FAR - 100, 0);
	if (brk == 4)
		beat = make_timerfd(CLOCK_MONOTONIC, mono, TICK / 1000);

	check_clocks(&before, "root");
	check_left("timer", timer_left(tm), CLOCK_MONOTONIC, mono + FAR);
	check_left("timer by boot time", timer_left(tb), CLOCK_BOOTTIME, boot + FAR);
	check_left("timerfd", timerfd_left(fm), CLOCK_MONOTONIC, mono + FAR);
	check_left("timerfd by boot time", timerfd_left(fb), CLOCK_BOOTTIME, boot + FAR);
	check(!getitimer(ITIMER_REAL, &it), "getitimer");
	check_left("interval timer", (double)it.it_value.tv_sec + (double)it.it_value.tv_usec / 1e6, CLOCK_MONOTONIC,
		   mono + FAR);
	check(!sysinfo(&info) && (double)info.uptime >= up && (double)info.uptime <= read_clock(CLOCK_BOOTTIME) + 1,
	      "up for %ld s, was for %.0f", info.uptime, up);
	sleep_ms(250);
	went = read_clock(CLOCK_MONOTONIC) - began;
	check(read(beat, &ticks, 8) == 8 && ticks >= 2 && (double)ticks <= went / TICK + 1, "%lu ticks in %f s", ticks,
	      went);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	join_task(pid);
	test_done();
}
