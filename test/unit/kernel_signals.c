// SPDX-License-Identifier: GPL-2.0-only
/* A long queue of signals, read from kernel memory: complete, in order, of the thread as well as of its process. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "kernel/proc_pid.h"
#include "kmem/signals.h"
#include "util_check.h"

enum { NR = 3000 };

static struct signals_reader *reader;
static struct proc proc = PROC_CLOSED;
static pid_t child; /* blocks SIGRTMIN */

static pid_t start_child(void)
{
	pid_t pid;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	sigprocmask(SIG_BLOCK, &set, NULL);
	pid = fork();
	if (pid)
		return pid;
	for (;;)
		pause();
}

static bool queue(bool shared)
{
	bool ok = true;

	for (int i = 0; ok && i < NR; i++) {
		siginfo_t si = { .si_signo = SIGRTMIN, .si_code = SI_QUEUE };

		si.si_pid = getpid();
		si.si_uid = 7;
		si.si_value.sival_int = shared ? i : -i;
		ok = !(shared ? syscall(SYS_rt_sigqueueinfo, child, SIGRTMIN, &si) :
				syscall(SYS_rt_tgsigqueueinfo, child, child, SIGRTMIN, &si));
	}
	return ok;
}

static bool is_right(const siginfo_t *si, int value)
{
	return si->si_signo == SIGRTMIN && si->si_code == SI_QUEUE && si->si_pid == getpid() && si->si_uid == 7 &&
	       si->si_value.sival_int == value;
}

/* @nr signals, with values 0, 1, ... or 0, -1, ... */
static bool contains(bool shared, size_t nr)
{
	struct pending_signals got = { 0 };
	bool ok = !signals_read(reader, proc.dir, shared, &got) && got.n == nr;

	for (size_t i = 0; i < got.n; i++)
		ok &= is_right(&got.v[i], shared ? (int)i : -(int)i);
	array_free(&got);
	return ok;
}

static void no_signals(void)
{
	CHECK(contains(true, 0));
	CHECK(contains(false, 0));
}

static void of_a_process(void)
{
	CHECK(queue(true));
	CHECK(contains(true, NR));
	CHECK(contains(false, 0));
}

static void of_a_thread(void)
{
	CHECK(queue(false));
	CHECK(contains(false, NR));
	CHECK(contains(true, NR));
}

int main(void)
{
	int err = signals_reader_open(&reader);

	if (err) {
		printf("skip signals: not available to this user, or in this kernel: %s\n", strerror(-err));
		DONE();
	}
	child = start_child();
	if (child < 0 || proc_open(child, &proc))
		return 2;
	RUN(no_signals);
	RUN(of_a_process);
	RUN(of_a_thread);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	proc_close(&proc);
	signals_reader_close(reader);
	DONE();
}
