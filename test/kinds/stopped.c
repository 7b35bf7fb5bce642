// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stopped tasks remain stopped, with the same signal; one with threads, one whose stop has not been waited for.
 * test: breaks=1 decode=yes ignore=status/(ShdPnd|SigBlk)$
 */
#include "checkpoint.h"
#include <pthread.h>
#include <sys/wait.h>

static int sleeper(void *arg)
{
	wait_go(0);
	return 5;
}

static void *idle(void *arg)
{
	wait_go(0);
	return NULL;
}

static int threaded(void *arg)
{
	pthread_t t[3];

	for (int i = 0; i < 3; i++)
		pthread_create(&t[i], NULL, idle, NULL);
	task_ready("threads");
	for (int i = 0; i < 3; i++)
		pthread_join(t[i], NULL);
	return 5;
}

/* Stopped, with a signal pending that is delivered when it is continued. */
static void on_usr1(int sig)
{
	_exit(6);
}

static int with_pending(void *arg)
{
	signal(SIGUSR1, on_usr1);
	task_ready("pending");
	wait_go(0);
	sleep_ms(2000);
	return 5;
}

int main(int argc, char **argv)
{
	const int signals[] = { SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU, SIGSTOP, SIGSTOP };
	pid_t pids[6], seen;
	int status, brk;
	siginfo_t si;

	test_init(argc, argv);
	for (int i = 0; i < 4; i++)
		pids[i] = fork_task(sleeper, NULL);
	pids[4] = fork_task(threaded, NULL);
	await_task("threads");
	pids[5] = fork_task(with_pending, NULL);
	await_task("pending");
	for (int i = 0; i < 6; i++) {
		/* an orphaned group ignores stops by the terminal: not orphaned while we are in its session */
		setpgid(pids[i], pids[i]);
		kill(pids[i], signals[i]);
		await_state(pids[i], 'T');
	}
	kill(pids[5], SIGUSR1);
	need(waitpid(pids[0], &status, WUNTRACED) == pids[0] && WIFSTOPPED(status), "wait for the stop");

	brk = checkpoint_here();
	if (brk)
		kill(pids[1], SIGCONT), sleep_ms(50);

	/* After SIGCONT they stop themselves again when they run. */
	for (int i = 0; i < 6; i++)
		for (int n = 0; n < 500 && state_of(pids[i]) != 'T'; n++)
			sleep_ms(20);
	for (int i = 0; i < 6; i++)
		check(state_of(pids[i]) == 'T', "task %d (%d) is %c", i, signals[i], state_of(pids[i]));
	for (int i = 1; i < 6; i++) {
		memset(&si, 0, sizeof(si));
		check(!waitid(P_PID, pids[i], &si, WSTOPPED | WNOHANG) && si.si_pid == pids[i] &&
			      si.si_status == signals[i],
		      "stop of %d: pid %d, signal %d, not %d", i, si.si_pid, si.si_status, signals[i]);
	}
	for (int i = 0; i < 6; i++) {
		kill(pids[i], SIGCONT);
		seen = waitpid(pids[i], &status, 0);
		check(seen == pids[i] && WIFEXITED(status) && WEXITSTATUS(status) == (i == 5 ? 6 : 5),
		      "task %d: status %#x", i, status);
	}
	test_done();
}
