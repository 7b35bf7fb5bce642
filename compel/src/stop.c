// SPDX-License-Identifier: LGPL-2.1-only
/* Stops, resumes and kills threads. See ptrace(2). */
#include <errno.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include "interrupted.h"
#include "target.h"

#ifndef PTRACE_O_SUSPEND_SECCOMP
#define PTRACE_O_SUSPEND_SECCOMP (1 << 21)
#endif

#define STOP_MS 10000
/* So often it is looked at whether a leader has ended. */
#define LEADER_LOOK_MS 50

/* The kernel returns EPERM for several reasons: distinguishes them. */
static int seize_error(pid_t tid, int err)
{
	int state;

	if (err != EPERM && err != ESRCH)
		return -err;
	state = target_state(tid);
	if (state < 0 || state == 'Z' || state == 'X')
		return -ESRCH;
	return target_tracer(tid) > 0 ? -EBUSY : -err;
}

int compel_seize(pid_t tid, bool suspend_seccomp)
{
	unsigned long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEEXEC;
	long err = -1;

	/* The kernel denies the whole request even if only the suspension is not permitted. */
	if (suspend_seccomp)
		err = ptrace(PTRACE_SEIZE, tid, NULL, (void *)(options | PTRACE_O_SUSPEND_SECCOMP));
	if (err && ptrace(PTRACE_SEIZE, tid, NULL, (void *)options))
		return seize_error(tid, errno);
	/* A task traced by us can always be interrupted, even a zombie: otherwise the tid now means another task. */
	return ptrace(PTRACE_INTERRUPT, tid, NULL, NULL) ? -ESTALE : 0;
}

int compel_die_with_us(pid_t tid)
{
	const unsigned long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL;

	/* As in compel_seize. */
	if (!ptrace(PTRACE_SETOPTIONS, tid, NULL, (void *)(options | PTRACE_O_SUSPEND_SECCOMP)))
		return 0;
	return ptrace(PTRACE_SETOPTIONS, tid, NULL, (void *)options) ? -errno : 0;
}

int compel_interrupt(pid_t tid)
{
	return ptrace(PTRACE_INTERRUPT, tid, NULL, NULL) ? -ESRCH : 0;
}

bool compel_at_rest(pid_t tid)
{
	siginfo_t why, waiting = { 0 };

	/* In this order: a thread in a stop remains in it. */
	if (ptrace(PTRACE_GETSIGINFO, tid, NULL, &why) || why.si_code >> 8 != PTRACE_EVENT_STOP)
		return false;
	return !waitid(P_PID, tid, &waiting, WSTOPPED | WEXITED | WNOHANG | WNOWAIT | __WALL) && !waiting.si_pid;
}

int compel_wait_stop(pid_t tid, struct compel_stop *ret_stop)
{
	return compel_wait_stop_for(tid, STOP_MS, ret_stop);
}

#define NO_LIMIT (~0u)

static int wait_stop(pid_t tid, unsigned int timeout_ms, struct compel_stop *ret_stop)
{
	struct compel_stop stop = { .state = COMPEL_RUNNING };
	uint64_t until = timeout_ms == NO_LIMIT ? 0 : target_now_ms() + timeout_ms;
	int status, err;

	for (;;) {
		err = timeout_ms == NO_LIMIT ? target_wait(tid, &status) : target_wait_until(tid, until, &status);
		if (err)
			return err;
		if (!WIFSTOPPED(status)) {
			stop.state = COMPEL_DEAD;
			stop.zombie = target_state(tid) == 'Z';
			*ret_stop = stop;
			return 0;
		}
		if (status >> 16 == PTRACE_EVENT_STOP)
			break;
		/* Any other stop cancels the requested one. */
		ptrace(PTRACE_INTERRUPT, tid, NULL, NULL);
		/*
		 * A signal that was dequeued before we requested the stop. It is delivered with its siginfo: the kernel
		 * builds the handler's frame (or stops the group, or kills) and stops before the handler's first
		 * instruction.
		 */
		if (status >> 16 || WSTOPSIG(status) == (SIGTRAP | 0x80))
			ptrace(PTRACE_CONT, tid, NULL, NULL);
		else
			ptrace(PTRACE_CONT, tid, NULL, (void *)(long)WSTOPSIG(status));
	}
	stop.state = WSTOPSIG(status) == SIGTRAP ? COMPEL_TRAPPED : COMPEL_STOPPED;
	stop.stop_signal = stop.state == COMPEL_STOPPED ? WSTOPSIG(status) : 0;
	*ret_stop = stop;
	return 0;
}

int compel_wait_own_stop(pid_t tid, struct compel_stop *ret_stop)
{
	return wait_stop(tid, NO_LIMIT, ret_stop);
}

int compel_wait_leader_stop(pid_t tid, struct compel_stop *ret_stop)
{
	uint64_t until = target_now_ms() + STOP_MS;
	int err;

	do {
		err = wait_stop(tid, LEADER_LOOK_MS, ret_stop);
		if (err == -ETIMEDOUT && target_state(tid) == 'Z') {
			*ret_stop = (struct compel_stop){ .state = COMPEL_DEAD, .zombie = true };
			return 0;
		}
	} while (err == -ETIMEDOUT && target_now_ms() < until);
	return err;
}

int compel_wait_stop_for(pid_t tid, unsigned int timeout_ms, struct compel_stop *ret_stop)
{
	struct compel_stop stop;
	int err = wait_stop(tid, timeout_ms, &stop);

	if (!err && (stop.state == COMPEL_TRAPPED || stop.state == COMPEL_STOPPED))
		err = interrupted_settle(tid, &stop);
	if (err && err != -ESRCH)
		return err;
	*ret_stop = stop;
	return 0;
}

int compel_detach(pid_t tid, const struct compel_stop *stop)
{
	if (stop->state != COMPEL_TRAPPED && stop->state != COMPEL_STOPPED)
		return 0;
	interrupted_resume(tid, stop);
	/* The kernel itself puts a thread of a stopped process back into its group stop. */
	return ptrace(PTRACE_DETACH, tid, NULL, NULL) ? -errno : 0;
}

static int wait_end(pid_t tid)
{
	int status;

	for (;;) {
		if (waitpid(tid, &status, __WALL) < 0) {
			if (errno == EINTR)
				continue;
			return errno == ECHILD ? 0 : -errno;
		}
		if (!WIFSTOPPED(status))
			return 0;
		/* A stop from before the kill; the thread is exiting. */
	}
}

int compel_kill(pid_t pid, const pid_t *tids, size_t nr_tids)
{
	int err = kill(pid, SIGKILL) ? -errno : 0;

	if (err && err != -ESRCH)
		return err;
	err = 0;
	/* The leader's exit is reported only after those of all other threads: it comes last. */
	for (size_t i = 0; i < nr_tids; i++) {
		int e = tids[i] == pid ? 0 : wait_end(tids[i]);

		err = err ? err : e;
	}
	if (!err)
		err = wait_end(pid);
	return err;
}
