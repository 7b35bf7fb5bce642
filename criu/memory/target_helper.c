/* SPDX-License-Identifier: GPL-2.0-only */
#include "memory/target_helper.h"
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include "kernel/pid_ns.h"

#ifndef PTRACE_O_SUSPEND_SECCOMP
#define PTRACE_O_SUSPEND_SECCOMP (1 << 21)
#endif

pid_t target_helper_number(const struct target_helper *h, pid_t inside)
{
	pid_t here = inside;

	return h->pid_ns < 0 || !pid_ns_outer(h->pid_ns, inside, &here) ? here : 0;
}

/* The process waits for it now. 0: there never will be one. */
static pid_t await(const struct target_helper *h)
{
	int32_t helper = 0;
	siginfo_t info = { 0 };

	while (!compel_args_read(h->ctl, 0, &helper, sizeof(helper)) && helper <= 0) {
		if (waitid(P_PID, h->tid, &info, WSTOPPED | WEXITED | WNOHANG | WNOWAIT | __WALL) || info.si_pid)
			return 0;
		sched_yield();
	}
	return helper > 0 ? target_helper_number(h, helper) : 0;
}

pid_t target_helper_wait(pid_t pid, int *ret_status)
{
	pid_t got;

	do
		got = waitpid(pid, ret_status, __WALL);
	while (got < 0 && errno == EINTR);
	return got;
}

/* The filters of the process stay suspended for it, if they are. */
static int trace_exit(pid_t helper)
{
	const long option = PTRACE_O_TRACEEXIT;

	if (ptrace(PTRACE_SETOPTIONS, helper, NULL, (void *)(option | PTRACE_O_SUSPEND_SECCOMP)) &&
	    ptrace(PTRACE_SETOPTIONS, helper, NULL, (void *)option))
		return -errno;
	return 0;
}

static bool is_exiting(int status)
{
	return status >> 8 == (SIGTRAP | PTRACE_EVENT_EXIT << 8);
}

/* The process waits for its helper, and the dumper for the process: neither may be left waiting. */
static int end(pid_t helper, int err)
{
	int status;

	kill(helper, SIGKILL);
	while (target_helper_wait(helper, &status) == helper && WIFSTOPPED(status))
		;
	return err;
}

static int run_to_end(pid_t helper, int (*at_exit)(pid_t helper, void *arg), void *arg)
{
	bool first = true;
	int status, err = 0;

	for (;; first = false) {
		if (target_helper_wait(helper, &status) != helper)
			return -errno;
		if (!WIFSTOPPED(status))
			return err;
		if (first && at_exit)
			err = trace_exit(helper);
		else if (at_exit && !err && is_exiting(status))
			err = at_exit(helper, arg);
		if (ptrace(PTRACE_CONT, helper, NULL, NULL))
			return end(helper, -errno);
	}
}

int target_helper_see_off(const struct target_helper *h, int (*at_exit)(pid_t helper, void *arg), void *arg)
{
	pid_t helper = await(h);

	return helper ? run_to_end(helper, at_exit, arg) : -ECHILD;
}
