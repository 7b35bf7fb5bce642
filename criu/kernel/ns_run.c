/* SPDX-License-Identifier: GPL-2.0-only */
#include "kernel/ns_run.h"
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* The usual size for a program; a guard page below ends the call instead of overwriting our memory. */
#define STACK_SIZE (8ul << 20)
#define STACK_GUARD (64ul << 10)

struct call {
	const struct ns_targets *targets;
	int (*fn)(void *arg);
	void *arg;
	pid_t parent;
	bool called;
	int result; /* of @fn, or why it was not called */
};

/* In the calling process. We see everything that it writes. */
static int enter_and_call(void *p)
{
	struct call *call = p;
	const struct ns_targets *targets = call->targets;

	for (size_t i = 0; i < targets->nr_ns; i++) {
		if (setns(targets->ns[i], 0) < 0) {
			call->result = -errno;
			return 1;
		}
	}
	if (targets->fresh && unshare((int)targets->fresh) < 0) {
		call->result = -errno;
		return 1;
	}
	/*
	 * After setns(2), which may clear it with a change of credentials. Without us, nothing would wait for its
	 * result.
	 */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0) {
		call->result = -errno;
		return 1;
	}
	/* It exited before that. 0: it is outside of our pid namespace. */
	if (getppid() && getppid() != call->parent)
		return 1;
	call->called = true;
	call->result = call->fn(call->arg);
	return 0;
}

static int wait_for(pid_t pid, const struct call *call, int *ret_result)
{
	int status;

	/* It sends no signal when it exits: __WALL. */
	while (waitpid(pid, &status, __WALL) < 0)
		if (errno != EINTR)
			return -errno;
	if (!WIFEXITED(status))
		return -ECHILD;
	if (!call->called)
		return call->result;
	*ret_result = call->result;
	return 0;
}

int ns_run_in_new(const struct ns_targets *targets, int (*fn)(void *arg), void *arg, int *ret_result)
{
	struct call call = { .targets = targets, .fn = fn, .arg = arg, .parent = getpid() };
	char *stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
	sigset_t all, was;
	pid_t pid;
	int err;

	if (stack == MAP_FAILED)
		return -errno;
	if (mprotect(stack, STACK_GUARD, PROT_NONE) < 0) {
		err = -errno;
		munmap(stack, STACK_SIZE);
		return err;
	}
	/* No handler of ours may run there, on our memory. */
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &was);
	pid = clone(enter_and_call, stack + STACK_SIZE, CLONE_VM | CLONE_FILES | CLONE_VFORK, &call);
	err = pid < 0 ? -errno : wait_for(pid, &call, ret_result);
	sigprocmask(SIG_SETMASK, &was, NULL);
	munmap(stack, STACK_SIZE);
	return err;
}

int ns_run_in(const int *ns, size_t nr_ns, int (*fn)(void *arg), void *arg, int *ret_result)
{
	const struct ns_targets targets = { .ns = ns, .nr_ns = nr_ns };

	return ns_run_in_new(&targets, fn, arg, ret_result);
}
