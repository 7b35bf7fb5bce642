// SPDX-License-Identifier: GPL-2.0-only
/*
 * Threads that call execve(2) while they are being stopped: they get the pid of their process, all others exit. Tests
 * the results of ptrace(2) and wait(2) that criu/dump/threads.c relies on.
 */
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/time.h>

#include "help.h"

#define ROUNDS 5
#define TICKS 4
#define LONG_MS 60000

struct shared {
	volatile pid_t sleeper, executor;
	volatile int go;
};

static struct shared *s;

static void *sleep_on(void *arg)
{
	s->sleeper = gettid();
	for (;;)
		pause();
	return NULL;
}

static void *execute(void *arg)
{
	s->executor = gettid();
	while (!s->go)
		usleep(100);
	execl("/proc/self/exe", "t_exec", "again", (char *)NULL);
	_exit(1);
}

static void body(void *arg)
{
	pthread_t id;

	pthread_create(&id, NULL, sleep_on, NULL);
	pthread_create(&id, NULL, execute, NULL);
	for (;;)
		pause();
}

/* Three threads: the first one and another sleep; the third calls execve(2) on request. */
static pid_t three_threads(void)
{
	pid_t pid;

	memset((void *)s, 0, sizeof(*s));
	pid = victim(body, NULL);
	while (!s->sleeper || !s->executor)
		usleep(1000);
	return pid;
}

static int stop_thread(pid_t tid)
{
	struct compel_stop stop = { 0 };
	int err = compel_seize(tid, true);

	if (!err)
		err = compel_wait_stop_for(tid, LONG_MS, &stop);
	return !err && stop.state != COMPEL_TRAPPED ? -EPROTO : err;
}

/* Checks that it is stopped in the new program, and known to be at rest. Resumes it. */
static const char *stopped_in_new_program(pid_t pid)
{
	struct compel_stop stop;
	char line[64];

	if (compel_wait_stop_for(pid, LONG_MS, &stop) || stop.state != COMPEL_TRAPPED)
		return "it does not stop";
	if (!compel_at_rest(pid))
		return "it is not at rest";
	proc_text(pid, "cmdline", line, sizeof(line));
	if (strcmp(line, "t_exec"))
		return "it stopped in the old program";
	if (compel_detach(pid, &stop))
		return "it does not continue";
	while (!wait_state(pid, 'S'))
		;
	return NULL;
}

static volatile sig_atomic_t ticks;

static void on_tick(int sig)
{
	ticks++;
}

/* execve(2) waits until the exited thread that we trace has been reaped: reaps it, but only after some signals. */
static void *reap_sleeper(void *arg)
{
	const struct itimerval every = { { 0, 20000 }, { 0, 20000 } };

	setitimer(ITIMER_REAL, &every, NULL);
	while (ticks < TICKS)
		usleep(1000);
	setitimer(ITIMER_REAL, &(struct itimerval){ 0 }, NULL);
	/* A call that is interrupted by a signal looks up the tid again. */
	while (!wait_state(getpid(), 'S'))
		;
	waitpid(s->sleeper, NULL, __WALL);
	return NULL;
}

/* No signal interrupts PTRACE_SEIZE of a thread that is in execve(2); afterwards that has another tid. */
static const char *seized_meanwhile(pid_t pid)
{
	struct sigaction tick = { .sa_handler = on_tick };
	sigset_t alarm;
	pthread_t id;
	int err;

	if (stop_thread(s->sleeper))
		return "the second thread does not stop";
	s->go = 1;
	while (!wait_state(s->sleeper, 'Z'))
		;
	ticks = 0;
	sigaction(SIGALRM, &tick, NULL);
	sigemptyset(&alarm);
	sigaddset(&alarm, SIGALRM);
	sigprocmask(SIG_BLOCK, &alarm, NULL);
	pthread_create(&id, NULL, reap_sleeper, NULL);
	sigprocmask(SIG_UNBLOCK, &alarm, NULL);
	err = compel_seize(s->executor, true);
	pthread_join(id, NULL);
	if (err != -ESTALE)
		return "seizing it does not return ESTALE";
	if (compel_interrupt(s->executor) != -ESRCH)
		return "its old tid is still in use";
	if (compel_at_rest(pid))
		return "it is at rest before it was interrupted";
	return compel_interrupt(pid) ? "it is not traced by us under its new tid" : stopped_in_new_program(pid);
}

/* A seized thread stops under its new tid; the stop of the first thread is void. */
static const char *held(pid_t pid)
{
	struct compel_stop stop;

	if (stop_thread(pid) || stop_thread(s->executor))
		return "the threads do not stop";
	if (!compel_at_rest(pid))
		return "the first thread is not at rest";
	if (ptrace(PTRACE_CONT, s->executor, NULL, NULL))
		return "it does not continue";
	s->go = 1;
	if (compel_wait_stop_for(s->executor, LONG_MS, &stop) != -ECHILD)
		return "waiting for its old tid does not return ECHILD";
	if (compel_at_rest(pid))
		return "the first thread still counts as stopped";
	return stopped_in_new_program(pid);
}

/*
 * A thread that is not seized gets the tid of the first thread, which we then no longer trace; no wait reports its
 * exit.
 */
static const char *not_held(pid_t pid)
{
	siginfo_t info;

	if (stop_thread(pid))
		return "the first thread does not stop";
	s->go = 1;
	for (info.si_pid = 0; !waitid(P_PID, pid, &info, WEXITED | WNOHANG | __WALL | __WNOTHREAD); usleep(1000))
		if (!compel_at_rest(pid) && compel_interrupt(pid))
			break;
	if (info.si_pid)
		return "the exit of the first thread was reported";
	if (compel_seize(pid, true))
		return "it cannot be seized under its new tid";
	return stopped_in_new_program(pid);
}

static void one(const char *name, const char *(*test)(pid_t pid))
{
	const char *why = NULL;

	for (int i = 0; i < ROUNDS && !why; i++) {
		pid_t pid = three_threads();

		why = test(pid);
		end_victim(pid);
	}
	report(name, !why, "%s", why ? why : "");
}

int main(int argc, char **argv)
{
	if (argc > 1)
		for (;;)
			pause();
	s = shared_page();
	one("seized_in_exec", seized_meanwhile);
	one("held_in_exec", held);
	one("not_held_in_exec", not_held);
	return test_result();
}
