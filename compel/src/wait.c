// SPDX-License-Identifier: LGPL-2.1-only
/*
 * Waits for tracees. waitpid(2) has no time limit.
 *
 * A thread that runs our code stops soon, however busy the machine is. But whoever may trace it, such as another process
 * of its user, can write to our code in it: then it may wait forever in a call of his, or never make one. It is given up
 * if it neither runs nor gets any CPU time for a while, or uses far more than our code ever does.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/bits.h"
#include "target.h"

/* A wait is short, and the thread may need our CPU. */
#define YIELDS 100
#define STEP_NS 100000
#define LOOK_MS 50
#define STUCK_MS 10000
#define MAX_CPU_S 60

uint64_t target_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000ull + ts.tv_nsec / 1000000;
}

/* Returns 0, -EAGAIN if nothing has happened, or another negative errno. */
static int take_status(pid_t tid, int *ret_status)
{
	pid_t got = waitpid(tid, ret_status, __WALL | WNOHANG);

	if (got == tid)
		return 0;
	return got < 0 && errno != EINTR ? -errno : -EAGAIN;
}

static void pause_briefly(unsigned int tries)
{
	const struct timespec step = { 0, STEP_NS };

	if (tries < YIELDS)
		sched_yield();
	else
		nanosleep(&step, NULL); /* style: waitpid has no timeout */
}

int target_wait_until(pid_t tid, uint64_t until, int *ret_status)
{
	for (unsigned int tries = 0; tries < YIELDS || target_now_ms() < until; tries++) {
		int err = take_status(tid, ret_status);

		if (err != -EAGAIN)
			return err;
		pause_briefly(tries);
	}
	return -ETIMEDOUT;
}

/* What a thread that is waited for has done so far. */
struct progress {
	uint64_t looked, moved; /* when; 0: never */
	uint64_t cpu_first, cpu; /* in clock ticks */
};

static bool is_stuck(pid_t tid, struct progress *p)
{
	const uint64_t per_s = (uint64_t)sysconf(_SC_CLK_TCK);
	uint64_t now = target_now_ms(), cpu;
	int state;

	if (p->looked && now - p->looked < LOOK_MS)
		return false;
	state = target_state_and_time(tid, &cpu);
	/* It has exited: the wait reports it. */
	if (state < 0)
		return false;
	if (!p->looked)
		p->cpu_first = cpu;
	if (!p->looked || state == 'R' || cpu != p->cpu)
		p->moved = now;
	/* Time in which we did not run either (a machine that was suspended) is no sign. */
	else if (now - p->looked > 10 * LOOK_MS)
		p->moved += now - p->looked;
	p->looked = now;
	p->cpu = cpu;
	return now - p->moved >= STUCK_MS || p->cpu - p->cpu_first >= MAX_CPU_S * per_s;
}

int target_wait(pid_t tid, int *ret_status)
{
	struct progress progress = { 0 };

	for (unsigned int tries = 0;; tries++) {
		int err = take_status(tid, ret_status);

		if (err != -EAGAIN)
			return err;
		if (tries >= YIELDS && is_stuck(tid, &progress))
			return -ETIMEDOUT;
		pause_briefly(tries);
	}
}

int target_next_stop(pid_t tid, int *ret_pass)
{
	int status, err = target_wait(tid, &status);

	if (err)
		return err;
	if (!WIFSTOPPED(status))
		return -ESRCH;
	*ret_pass = 0;
	if (WSTOPSIG(status) == (SIGTRAP | 0x80))
		return 0;
	/* A group stop, or a repeated interrupt: the thread can be resumed all the same. */
	if (status >> 16 == PTRACE_EVENT_STOP)
		return -EAGAIN;
	/* The one signal that no mask blocks: the group stops when we have detached. */
	if (WSTOPSIG(status) != SIGSTOP)
		return WSTOPSIG(status);
	*ret_pass = SIGSTOP;
	return -EAGAIN;
}
