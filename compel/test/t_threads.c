// SPDX-License-Identifier: GPL-2.0-only
/* Commands in 200 sleeping threads; an interrupted critical section; the time per call. */
#include <pthread.h>
#include <sys/rseq.h>
#include <sys/prctl.h>

#include "help.h"

#define THREADS 200

struct shared {
	volatile long ready, bad;
	volatile long turns[THREADS];
	volatile long aborted, passed;
	volatile long cs_start, cs_abort;
};

static struct shared *s;

static void *sleeper(void *arg)
{
	long i = (long)arg;
	struct timespec ts = { 0, 1000000 + i * 10000 };

	__atomic_fetch_add(&s->ready, 1, __ATOMIC_SEQ_CST);
	while (s) {
		double start = now();
		long ret = syscall(SYS_nanosleep, &ts, NULL);

		if (ret || now() - start < ts.tv_nsec * 1e-9)
			s->bad++;
		s->turns[i]++;
	}
	return NULL;
}

static void threads_body(void *arg)
{
	pthread_attr_t attr;
	pthread_t t;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 65536);
	for (long i = 1; i < THREADS; i++)
		pthread_create(&t, &attr, sleeper, (void *)i);
	sleeper(NULL);
}

static bool all_move(void)
{
	long before[THREADS];

	memcpy(before, (void *)s->turns, sizeof(before));
	for (int i = 0; i < 60000; i++) {
		int still = 0;

		usleep(1000);
		for (int n = 0; n < THREADS; n++)
			still += s->turns[n] == before[n];
		if (!still)
			return !s->bad;
	}
	return false;
}

static void many_threads(int rounds)
{
	pid_t pid = victim(threads_body, NULL);
	int err = 0, line = 0;
	double start;

	while (s->ready < THREADS)
		usleep(1000);
	start = now();
	for (int i = 0; i < rounds && !line; i++)
		line = session_threads(pid, &err);
	printf("# a session with %d threads, 2 calls in each: %.1f ms\n", THREADS, (now() - start) * 1e3 / rounds);
	report("many_threads", !line && all_move(), "session %d (%s), bad %ld", line, strerror(-err), s->bad);
	end_victim(pid);
}

/*
 * A long critical section: it spins at a label until released by the test. After an interruption it must not complete.
 */
static struct rseq area __attribute__((aligned(32)));
extern const char section_start[], section_end[], section_abort[];

static void rseq_body(void *arg)
{
	static struct rseq_cs section;
	struct rseq *r = &area;
	long ret;

	/* Unregisters the area that glibc has registered. */
	ret = syscall(__NR_rseq, (char *)__builtin_thread_pointer() + __rseq_offset, 32, RSEQ_FLAG_UNREGISTER,
		      0x53053053);
	if (ret)
		s->bad = 1;
	ret = syscall(__NR_rseq, r, 32, 0, 0x53053053);
	if (ret)
		s->bad = 2;
	section.start_ip = (uint64_t)section_start;
	section.post_commit_offset = section_end - section_start;
	section.abort_ip = (uint64_t)section_abort;
	for (;;) {
		__asm__ volatile("mov %1, %0" : "=m"(r->rseq_cs) : "r"(&section) : "memory");
		s->ready = 1;
		__asm__ volatile(".globl section_start, section_end, section_abort\n"
				 "section_start:\n"
				 "1:\n\tcmpq $0, (%0)\n\tje 1b\n"
				 "section_end:\n"
				 "\tincq (%1)\n\tjmp 2f\n"
				 ".long 0x53053053\n"
				 "section_abort:\n"
				 "\tincq (%2)\n"
				 "2:\n"
				 :
				 : "r"(&s->turns[0]), "r"(&s->passed), "r"(&s->aborted)
				 : "memory", "cc");
	}
}

static void critical_section(void)
{
	struct compel_thread_state state = { 0 };
	struct compel_stop stop;
	struct compel_ctl *ctl;
	long passed, aborted, value = 0;
	const unsigned long none[6] = { 0 };
	pid_t pid;
	int err, got;

	memset((void *)s, 0, sizeof(*s));
	pid = victim(rseq_body, NULL);
	while (!s->ready && !s->bad)
		usleep(1000);
	usleep(20000);
	err = open_target(pid, &stop, &ctl);
	passed = s->passed;
	aborted = s->aborted;
	got = state_for_image(pid, &state);
	if (!err)
		err = compel_syscall(ctl, SYS_getpid, none, &value);
	s->turns[0] = 1; /* ends the spin, if it is still in there */
	err = err ? err : compel_cure(ctl);
	compel_detach(pid, &stop);
	while (s->aborted == aborted && s->passed == passed)
		;
	/* The abort must have come first, before any pass. */
	report("rseq",
	       !s->bad && !err && !got && state.rseq_aborted && state.regs.ip == (uint64_t)section_abort &&
		       s->aborted > aborted,
	       "bad %ld, %s, got %d, aborted flag %d, ip %#lx, aborts %ld -> %ld, passes %ld -> %ld", s->bad,
	       strerror(-err), got, state.rseq_aborted, (unsigned long)state.regs.ip, aborted, s->aborted, passed,
	       s->passed);
	compel_thread_state_clear(&state);
	end_victim(pid);
}

static void spin_body(void *arg)
{
	s->ready = 1;
	for (;;)
		s->turns[0]++;
}

static void timing(int n)
{
	const unsigned long none[6] = { 0 };
	struct probe_args args = { .count = 20 };
	struct compel_stop stop;
	struct compel_ctl *ctl;
	double start, call, command;
	long value;
	pid_t pid;
	int err;

	memset((void *)s, 0, sizeof(*s));
	pid = victim(spin_body, NULL);
	while (!s->ready)
		usleep(1000);
	err = open_target(pid, &stop, &ctl);
	if (!err)
		err = compel_infect(ctl, &probe_blob, sizeof(args));
	if (!err)
		err = compel_args_write(ctl, 0, &args, sizeof(args));
	start = now();
	for (int i = 0; i < n && !err; i++)
		err = compel_syscall(ctl, SYS_getpid, none, &value);
	call = now() - start;
	start = now();
	for (int i = 0; i < n && !err; i++)
		err = compel_command(ctl, PROBE_CALLS, &value);
	command = now() - start;
	err = err ? err : compel_cure(ctl);
	compel_detach(pid, &stop);
	printf("# one call %.1f us, one command of 20 calls %.1f us\n", call * 1e6 / n, command * 1e6 / n);
	report("calls", !err, "%s", strerror(-err));
	end_victim(pid);
}

static void *report_tid(void *arg)
{
	s->turns[0] = syscall(SYS_gettid);
	s->ready = 1;
	while (s)
		pause();
	return NULL;
}

static void two_threads(void *arg)
{
	pthread_t t;

	pthread_create(&t, NULL, report_tid, NULL);
	for (;;)
		pause();
}

/* The kernel reports the leader's end only when we have waited for the other thread, which had stopped before. */
static void leader_killed(void)
{
	struct compel_stop stop = { 0 };
	pid_t pid, tid;
	int err;

	s->ready = 0;
	pid = victim(two_threads, NULL);
	while (!s->ready)
		usleep(1000);
	tid = (pid_t)s->turns[0];
	err = compel_seize(tid, false);
	err = err ? err : compel_wait_own_stop(tid, &stop);
	err = err ? err : compel_seize(pid, false);
	kill(pid, SIGKILL);
	wait_state(pid, 'Z');
	err = err ? err : compel_wait_leader_stop(pid, &stop);
	report("leader_killed", !err && stop.state == COMPEL_DEAD, "%s, state %d", strerror(-err), stop.state);
	compel_kill(pid, &tid, 1);
}

int main(int argc, char **argv)
{
	int rounds = argc > 1 ? atoi(argv[1]) : 3;

	s = shared_page();
	many_threads(rounds);
	critical_section();
	timing(300);
	leader_killed();
	return test_result();
}
