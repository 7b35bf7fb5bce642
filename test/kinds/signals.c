// SPDX-License-Identifier: GPL-2.0-only
/*
 * Handlers with flags and masks; private and shared pending signals with their values, real-time ones in order.
 * test: flavours=host,pid,container,nested breaks=3 decode=yes user-root=host
 */
#include "checkpoint.h"
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

struct kernel_action {
	void (*handler)(int);
	unsigned long flags;
	void (*restorer)(void);
	unsigned long mask;
};

static struct kernel_action before[65], after[65];
static volatile sig_atomic_t ran;
static pid_t thread_tid;
static volatile int thread_go;

static void plain(int sig)
{
	ran++;
}

static void with_info(int sig, siginfo_t *si, void *uc)
{
	ran += 100;
}

static void actions(struct kernel_action *all)
{
	for (int sig = 1; sig < 65; sig++)
		syscall(SYS_rt_sigaction, sig, NULL, &all[sig], 8);
}

static void queue(pid_t pid, pid_t tid, int sig, int value)
{
	siginfo_t si;

	memset(&si, 0, sizeof(si));
	si.si_signo = sig;
	si.si_code = SI_QUEUE;
	si.si_pid = 4321;
	si.si_uid = 99;
	si.si_value.sival_int = value;
	need(!(tid ? syscall(SYS_rt_tgsigqueueinfo, pid, tid, sig, &si) : syscall(SYS_rt_sigqueueinfo, pid, sig, &si)),
	     "queue %d", sig);
}

static void expect(int sig, int value, const char *what)
{
	struct timespec zero = { 0 };
	siginfo_t si;
	sigset_t set;

	memset(&si, 0, sizeof(si));
	sigemptyset(&set);
	sigaddset(&set, sig);
	check(sigtimedwait(&set, &si, &zero) == sig, "%s: no signal %d", what, sig);
	check(si.si_value.sival_int == value && si.si_code == SI_QUEUE && si.si_pid == 4321 && si.si_uid == 99,
	      "%s: signal %d: value %d code %d pid %d uid %d", what, sig, si.si_value.sival_int, si.si_code, si.si_pid,
	      si.si_uid);
}

static void expect_none(int sig, const char *what)
{
	struct timespec zero = { 0 };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, sig);
	check(sigtimedwait(&set, NULL, &zero) < 0 && errno == EAGAIN, "%s: one more of signal %d", what, sig);
}

static void *thread(void *arg)
{
	thread_tid = (pid_t)syscall(SYS_gettid);
	while (!thread_go)
		sleep_ms(1);
	for (int i = 0; i < 10; i++)
		expect(SIGRTMIN + 5, 1000 + i, "thread's own");
	expect_none(SIGRTMIN + 5, "thread's own");
	expect(SIGUSR2, 7, "thread's own");
	return NULL;
}

static void set_handlers(void)
{
	struct sigaction sa;

	memset(&sa, 0, sizeof(sa));
	sa.sa_handler = plain;
	sa.sa_flags = SA_RESTART | SA_NODEFER;
	sigaddset(&sa.sa_mask, SIGUSR2);
	sigaddset(&sa.sa_mask, SIGRTMAX);
	sigaction(SIGHUP, &sa, NULL);
	sa.sa_sigaction = with_info;
	sa.sa_flags = SA_SIGINFO | SA_RESETHAND | SA_ONSTACK | SA_NOCLDSTOP | SA_NOCLDWAIT;
	sigfillset(&sa.sa_mask);
	sigaction(SIGRTMIN + 7, &sa, NULL);
	sigaction(SIGCHLD, &sa, NULL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGQUIT, SIG_IGN);
	signal(SIGTSTP, plain);
}

static void block_signals(void)
{
	sigset_t block;

	sigemptyset(&block);
	for (int sig = SIGRTMIN; sig <= SIGRTMAX; sig++)
		sigaddset(&block, sig);
	sigaddset(&block, SIGUSR1);
	sigaddset(&block, SIGUSR2);
	sigaddset(&block, SIGTERM);
	sigprocmask(SIG_SETMASK, &block, NULL);
}

static void queue_all(pid_t pid)
{
	for (int i = 0; i < 50; i++)
		queue(pid, 0, SIGRTMIN + 4, i);
	for (int i = 0; i < 10; i++)
		queue(pid, thread_tid, SIGRTMIN + 5, 1000 + i);
	queue(pid, pid, SIGUSR2, 8);
	queue(pid, thread_tid, SIGUSR2, 7);
	queue(pid, 0, SIGUSR1, 9);
	queue(pid, 0, SIGUSR1, 10);
	kill(pid, SIGTERM);
}

static void verify_actions(void)
{
	actions(after);
	for (int sig = 1; sig < 65; sig++)
		check(!memcmp(&before[sig], &after[sig], sizeof(before[0])), "action of %d: %p %#lx %p %#lx", sig,
		      (void *)after[sig].handler, after[sig].flags, (void *)after[sig].restorer, after[sig].mask);
}

static void verify_pending(void)
{
	sigset_t pending;

	sigpending(&pending);
	check(sigismember(&pending, SIGTERM) == 1, "SIGTERM is not pending");
	for (int i = 0; i < 50; i++)
		expect(SIGRTMIN + 4, i, "shared");
	expect_none(SIGRTMIN + 4, "shared");
	expect(SIGUSR1, 9, "shared");
	expect_none(SIGUSR1, "shared");
	expect(SIGUSR2, 8, "leader's own");
	expect_none(SIGUSR2, "leader's own");
}

int main(int argc, char **argv)
{
	pid_t pid = getpid();
	pthread_t t;
	int brk;

	test_init(argc, argv);
	set_handlers();
	block_signals();
	need(!pthread_create(&t, NULL, thread, NULL), "thread");
	while (!thread_tid)
		sleep_ms(1);
	queue_all(pid);
	actions(before);

	brk = checkpoint_here();
	if (brk == 1)
		queue(pid, 0, SIGRTMIN + 4, 50);
	if (brk == 2)
		signal(SIGHUP, SIG_DFL);
	if (brk == 3)
		expect(SIGUSR1, 9, "break");

	verify_actions();
	verify_pending();
	thread_go = 1;
	pthread_join(t, NULL);
	raise(SIGHUP);
	check(ran == 1, "the handler ran %d times", ran);
	test_done();
}
