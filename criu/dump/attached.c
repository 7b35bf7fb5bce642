/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Threads that an attempt has seized but not stopped; the next attempt of the same dump finds that it already traces
 * them. PTRACE_DETACH needs a tracee in a stop; a running one is detached only by the exit of the tracer.
 */
#include <errno.h>
#include <sys/wait.h>
#include "dump/dump.h"
#include "run/dump.h"
#include "util/log.h"

static void forget(struct pid_array *attached, size_t i)
{
	attached->v[i] = attached->v[--attached->n];
}

void dump_release_attached(struct pid_array *attached)
{
	for (size_t i = 0; i < attached->n;) {
		struct compel_stop stop = { .state = COMPEL_RUNNING };
		pid_t tid = attached->v[i];
		int err = compel_wait_stop_for(tid, 0, &stop);

		if (err == -ETIMEDOUT) {
			i++;
			continue;
		}
		/* Any other error: it has exited, or has called execve(2) and has another tid. */
		if (!err)
			err = compel_detach(tid, &stop);
		if (err < 0 && err != -ESRCH && err != -ECHILD)
			log_warn("detach from %d: errno %d", tid, -err);
		forget(attached, i);
	}
}

bool dump_take_attached(struct pid_array *attached, pid_t tid)
{
	for (size_t i = 0; i < attached->n; i++) {
		siginfo_t info;

		if (attached->v[i] != tid)
			continue;
		forget(attached, i);
		/* Peek only: another task may have this tid by now. */
		return !waitid(P_PID, tid, &info, WSTOPPED | WEXITED | WNOHANG | WNOWAIT | __WALL);
	}
	return false;
}
