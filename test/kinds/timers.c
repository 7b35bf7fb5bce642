// SPDX-License-Identifier: GPL-2.0-only
/*
 * Interval timers, POSIX timers (ids, targets, overruns), far and near; clocks do not jump.
 * test: flavours=host,pid,user,nested,rootless boots=others breaks=3 decode=yes ignore=status/SigPnd user-root=host
 */
#include "checkpoint.h"
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define COUNT 5

static volatile sig_atomic_t fired[65], other_thread;
static pid_t thread_tid;
static volatile int over;

static void on_signal(int sig)
{
	fired[sig]++;
}

static void on_thread(int sig)
{
	fired[sig]++;
	if (syscall(SYS_gettid) != thread_tid)
		other_thread = 1;
}

static void *thread(void *arg)
{
	thread_tid = (pid_t)syscall(SYS_gettid);
	while (!over)
		sleep_ms(1);
	return NULL;
}

static int make(clockid_t clock, int sig, int notify, pid_t tid, int value)
{
	struct sigevent ev;
	int id = -1;

	memset(&ev, 0, sizeof(ev));
	ev.sigev_notify = notify;
	ev.sigev_signo = sig;
	ev.sigev_value.sival_int = value;
	ev._sigev_un._tid = tid;
	need(!syscall(SYS_timer_create, clock, &ev, &id), "timer_create of clock %d", clock);
	return id;
}

static void set(int id, long value_ms, long every_ms)
{
	struct itimerspec its = { .it_value = { value_ms / 1000, value_ms % 1000 * 1000000 },
				  .it_interval = { every_ms / 1000, every_ms % 1000 * 1000000 } };

	need(!syscall(SYS_timer_settime, id, 0, &its, NULL), "settime");
}

int main(int argc, char **argv)
{
	struct itimerval real = { .it_value = { 7200, 0 }, .it_interval = { 5, 250000 } }, iv;
	struct itimerval cpu = { .it_value = { 3000, 0 }, .it_interval = { 1, 0 } };
	int far, blocked, at_thread, none, gone, stopped, brk, id, was;
	struct timespec mono, mono_after, real_was, real_after;
	struct itimerspec its;
	struct sigaction sa;
	sigset_t block;
	siginfo_t si;
	pthread_t t;

	test_init(argc, argv);
	memset(&sa, 0, sizeof(sa));
	sa.sa_handler = on_signal;
	sa.sa_flags = SA_RESTART;
	sigaction(SIGALRM, &sa, NULL);
	sigaction(SIGPROF, &sa, NULL);
	sigaction(SIGVTALRM, &sa, NULL);
	sa.sa_handler = on_thread;
	sa.sa_flags |= SA_NODEFER; /* a look at SigBlk may come in the middle of the handler */
	sigaction(SIGRTMIN + 1, &sa, NULL);
	sigemptyset(&block);
	sigaddset(&block, SIGRTMIN + 2);
	sigprocmask(SIG_BLOCK, &block, NULL);
	need(!pthread_create(&t, NULL, thread, NULL), "thread");
	while (!thread_tid)
		sleep_ms(1);
	setitimer(ITIMER_REAL, &real, NULL);
	setitimer(ITIMER_VIRTUAL, &cpu, NULL);
	setitimer(ITIMER_PROF, &cpu, NULL);

	gone = make(CLOCK_MONOTONIC, SIGALRM, SIGEV_SIGNAL, 0, 0);
	far = make(CLOCK_REALTIME, SIGUSR1, SIGEV_SIGNAL, 0, 11);
	blocked = make(CLOCK_MONOTONIC, SIGRTMIN + 2, SIGEV_SIGNAL, 0, 22);
	at_thread = make(CLOCK_MONOTONIC, SIGRTMIN + 1, SIGEV_THREAD_ID, thread_tid, 33);
	none = make(CLOCK_BOOTTIME, 0, SIGEV_NONE, 0, 44);
	stopped = make(CLOCK_MONOTONIC, SIGUSR1, SIGEV_SIGNAL, 0, 55);
	syscall(SYS_timer_delete, gone); /* a gap in the ids */
	set(far, 7200000, 0);
	set(blocked, 10, 10); /* overruns accumulate while it is blocked */
	set(at_thread, 5, 5);
	set(none, 3600000, 1500);
	sleep_ms(100);
	clock_gettime(CLOCK_MONOTONIC, &mono);
	clock_gettime(CLOCK_REALTIME, &real_was);

	brk = checkpoint_here();
	if (brk == 1)
		syscall(SYS_timer_delete, far);
	if (brk == 2)
		setitimer(ITIMER_REAL, &(struct itimerval){ 0 }, NULL);
	if (brk == 3)
		set(none, 1000, 0);

	clock_gettime(CLOCK_MONOTONIC, &mono_after);
	clock_gettime(CLOCK_REALTIME, &real_after);
	check(mono_after.tv_sec >= mono.tv_sec && mono_after.tv_sec <= mono.tv_sec + 60,
	      "monotonic time jumped from %ld to %ld", mono.tv_sec, mono_after.tv_sec);
	check(labs((mono_after.tv_sec - mono.tv_sec) - (real_after.tv_sec - real_was.tv_sec)) <= 2,
	      "the clocks drifted apart");
	check(!getitimer(ITIMER_REAL, &iv) && iv.it_value.tv_sec > 7000 && iv.it_value.tv_sec <= 7200 &&
		      iv.it_interval.tv_sec == 5 && iv.it_interval.tv_usec == 250000,
	      "real: %ld, each %ld", iv.it_value.tv_sec, iv.it_interval.tv_sec);
	for (int which = ITIMER_VIRTUAL; which <= ITIMER_PROF; which++)
		check(!getitimer(which, &iv) && iv.it_value.tv_sec >= 2900 && iv.it_value.tv_sec <= 3000 &&
			      iv.it_interval.tv_sec == 1,
		      "interval timer %d: %ld", which, iv.it_value.tv_sec);
	check(!syscall(SYS_timer_gettime, far, &its) && its.it_value.tv_sec > 7000 && its.it_value.tv_sec <= 7200 &&
		      !its.it_interval.tv_sec,
	      "far: %ld", its.it_value.tv_sec);
	check(!syscall(SYS_timer_gettime, none, &its) && its.it_value.tv_sec > 3400 && its.it_interval.tv_sec == 1 &&
		      its.it_interval.tv_nsec == 500000000,
	      "silent: %ld", its.it_value.tv_sec);
	check(!syscall(SYS_timer_gettime, stopped, &its) && !its.it_value.tv_sec && !its.it_value.tv_nsec,
	      "the disarmed one is running");
	check(syscall(SYS_timer_gettime, gone, &its) < 0 && errno == EINVAL, "the deleted one exists again");
	memset(&si, 0, sizeof(si));
	check(sigtimedwait(&block, &si, &(struct timespec){ .tv_sec = 2 }) == SIGRTMIN + 2,
	      "no signal of the blocked timer");
	check(si.si_code == SI_TIMER && si.si_value.sival_int == 22 && si.si_timerid == blocked,
	      "code %d value %d id %d", si.si_code, si.si_value.sival_int, si.si_timerid);
	/* the number of overruns of a pending signal cannot be queried: not of this one, but of the next */
	sleep_ms(100);
	check(sigtimedwait(&block, &si, &(struct timespec){ .tv_sec = 2 }) == SIGRTMIN + 2,
	      "no second signal of the blocked timer");
	check(si.si_overrun >= 5 && si.si_overrun < 1000 && syscall(SYS_timer_getoverrun, blocked) == si.si_overrun,
	      "overruns %d, %ld", si.si_overrun, syscall(SYS_timer_getoverrun, blocked));
	was = fired[SIGRTMIN + 1];
	for (int i = 0; i < 2000 && fired[SIGRTMIN + 1] < was + 3; i++)
		sleep_ms(1);
	check(fired[SIGRTMIN + 1] >= was + 3, "the thread's timer does not fire");
	check(!other_thread, "the thread's timer hit another thread");
	check(!fired[SIGALRM] && !fired[SIGPROF] && !fired[SIGVTALRM], "a far timer fired");
	id = make(CLOCK_MONOTONIC, SIGUSR1, SIGEV_SIGNAL, 0, 0);
	check(id != far && id != blocked && id != at_thread && id != none && id != stopped,
	      "new timer got a used id %d", id);
	over = 1;
	pthread_join(t, NULL);
	test_done();
}
