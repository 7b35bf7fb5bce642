// SPDX-License-Identifier: LGPL-2.1-only
/*
 * Borrows a stopped thread and runs calls and blobs in it.
 *
 * The order of the steps is what makes it safe to be killed between any two of them:
 *   1. fill the cave (nothing refers to it yet);
 *   2. point the registers behind the stub: from now on the cure restores them;
 *   3. block all signals: the cure restores the mask too;
 *   4. run calls: entry stop, exit stop, each by PTRACE_SYSCALL. Never PTRACE_SINGLESTEP:
 *      its SIGTRAP kills the target when the tracer is gone;
 *   5. point the registers behind the stub again, restore the mask, then the registers: from here the kernel
 *      continues the thread, and restarts interrupted system calls.
 * Where signals are not blocked rsp is the thread's own: a handler finds a stack, and handlers.c its frame.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/bits.h"
#include "base/cleanup.h"
#include "ctl.h"

#ifndef PTRACE_O_SUSPEND_SECCOMP
#define PTRACE_O_SUSPEND_SECCOMP (1 << 21)
#endif
#ifndef PTRACE_GET_SYSCALL_USER_DISPATCH_CONFIG
#define PTRACE_GET_SYSCALL_USER_DISPATCH_CONFIG 0x4211
#endif
#ifndef PTRACE_GET_SYSCALL_INFO
#define PTRACE_GET_SYSCALL_INFO 0x420e
#endif
#define SYSCALL_INFO_ENTRY 1

/* Resumes the thread by @request until its next stop, at a system call (returns 0) or for a signal (its number). */
static int next_stop(struct compel_ctl *ctl, const struct borrowed *b, enum __ptrace_request request)
{
	int pass = 0, stop;

	do {
		void (*meanwhile)(void *) = ctl->meanwhile;

		if (ptrace(request, b->tid, NULL, (void *)(long)pass))
			return ctl_set_error(ctl, -errno, "cannot resume thread %d", b->tid);
		ctl->meanwhile = NULL;
		if (meanwhile)
			meanwhile(ctl->meanwhile_arg);
		stop = target_next_stop(b->tid, &pass);
	} while (stop == -EAGAIN);
	if (stop == -ESRCH)
		return ctl_set_error(ctl, -ESRCH, "thread %d exited", b->tid);
	return stop < 0 ? ctl_set_error(ctl, stop, "cannot wait for thread %d", b->tid) : stop;
}

static int faulted(struct compel_ctl *ctl, const struct borrowed *b, int sig)
{
	return ctl_set_error(ctl, -EFAULT, "signal %d in code injected into thread %d", sig, b->tid);
}

static int syscall_stop(struct compel_ctl *ctl, const struct borrowed *b)
{
	int stop;

	do /* The signal chosen as having no effect has none, whatever its sender. */
		stop = next_stop(ctl, b, PTRACE_SYSCALL);
	while (stop > 0 && stop == b->yield_signal);
	return stop > 0 ? faulted(ctl, b, stop) : stop;
}

static int set_regs(struct compel_ctl *ctl, const struct borrowed *b, const struct compel_regs *regs)
{
	int err = arch_write_regs(b->tid, regs);

	return err ? ctl_set_error(ctl, err, "cannot set registers of thread %d", b->tid) : 0;
}

/* Retried once: the return value of a completed call must not be lost. */
static int get_regs(struct compel_ctl *ctl, const struct borrowed *b, struct compel_regs *ret)
{
	int err = arch_read_regs(b->tid, ret);

	if (err)
		err = arch_read_regs(b->tid, ret);
	return err ? ctl_set_error(ctl, err, "cannot read registers of thread %d", b->tid) : 0;
}

static bool at_entry(pid_t tid)
{
	unsigned char info[128] = { 0 }; /* struct ptrace_syscall_info, which starts with the kind of stop */

	return ptrace((enum __ptrace_request)PTRACE_GET_SYSCALL_INFO, tid, (void *)sizeof(info), info) > 0 &&
	       info[0] == SYSCALL_INFO_ENTRY;
}

/*
 * After a failure the thread may be at the entry of a system call. Registers set there determine the call that is made
 * next, which could be one of the thread's own that has completed long ago. So this call is skipped: then the thread is
 * at its exit, with @regs, and continues in the same way whether we survive or not.
 */
static void leave_entry(struct compel_ctl *ctl, const struct borrowed *b, const struct compel_regs *regs)
{
	for (int tries = 0; tries < 2 && at_entry(b->tid); tries++)
		if (!arch_write_regs(b->tid, regs))
			syscall_stop(ctl, b);
}

/* Runs one system call at the stub. @regs: the registers before and after it. */
static int run_call(struct compel_ctl *ctl, const struct borrowed *b, struct compel_regs *regs)
{
	struct compel_regs before = *regs;
	int err = set_regs(ctl, b, regs);

	if (err)
		return err;
	target_pin(b->cpu, &ctl->pin);
	err = syscall_stop(ctl, b); /* entry */
	if (!err)
		err = syscall_stop(ctl, b); /* exit */
	if (err)
		leave_entry(ctl, b, &before);
	return err ? err : get_regs(ctl, b, regs);
}

/*
 * Runs the blob until it returns. Then it sends itself a signal that it ignores: while it is traced it stops for that,
 * and the system calls of the blob need not stop. Without such a signal it stops for every system call until the one in
 * the stub.
 */
static int run_blob(struct compel_ctl *ctl, const struct borrowed *b, const struct cure *cure, struct compel_regs *regs)
{
	enum __ptrace_request request = b->yield_signal ? PTRACE_CONT : PTRACE_SYSCALL;
	struct compel_regs idle = b->own;
	int err = set_regs(ctl, b, regs), stops = 0;

	if (err)
		return err;
	target_pin(b->cpu, &ctl->pin);
	do {
		int stop = next_stop(ctl, b, request);

		err = stop < 0 ? stop : get_regs(ctl, b, regs);
		if (!err && stop && stop != b->yield_signal)
			err = faulted(ctl, b, stop);
		if (!err && arch_at_stub(regs, b->cave))
			stops++; /* a call stops at entry and at exit, a signal only once */
	} while (!err && stops < (b->yield_signal ? 1 : 2));
	arch_park_regs(&idle, b->cave, cure);
	if (err && err != -EFAULT)
		leave_entry(ctl, b, &idle);
	return err;
}

/* Injected calls would be turned into SIGSYS, which the cure could not undo if the tracer died. */
static bool dispatches_syscalls(pid_t tid)
{
	struct {
		uint64_t mode, selector, offset, len;
	} conf = { 0 };

	return !ptrace((enum __ptrace_request)PTRACE_GET_SYSCALL_USER_DISPATCH_CONFIG, tid, (void *)sizeof(conf),
		       &conf) &&
	       conf.mode;
}

/* Does seccomp see injected calls? Most filters kill for an unexpected call, and which these are cannot be queried. */
static bool filtered(pid_t tid, const struct compel_status *status)
{
	const long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_SUSPEND_SECCOMP;

	return status->seccomp && ptrace(PTRACE_SETOPTIONS, tid, NULL, (void *)options);
}

static int inspect(struct compel_ctl *ctl, pid_t tid, struct compel_snapshot *ret)
{
	int err = compel_inspect(tid, NULL, ret);

	if (err == -ENOEXEC)
		return ctl_set_error(ctl, err, "thread %d runs 32-bit code", tid);
	if (err == -EAGAIN)
		return ctl_set_error(ctl, err, "thread %d is in the cave of a dead tracer", tid);
	return err ? ctl_set_error(ctl, err, "cannot read the registers and signals of thread %d", tid) : 0;
}

/* Determines the state that the cure restores. */
int thread_prepare(struct compel_ctl *ctl, struct borrowed *b, const struct compel_snapshot *snapshot)
{
	struct compel_snapshot own;
	const struct compel_status *status;
	int err = snapshot ? 0 : inspect(ctl, b->tid, &own);

	if (err)
		return err;
	snapshot = snapshot ? snapshot : &own;
	status = &snapshot->status;
	if (!arch_regs_native(&snapshot->regs))
		return ctl_set_error(ctl, -ENOEXEC, "thread %d runs 32-bit code", b->tid);
	if (dispatches_syscalls(b->tid))
		return ctl_set_error(ctl, -ENOEXEC,
				     "thread %d dispatches its system calls to itself (PR_SET_SYSCALL_USER_DISPATCH)",
				     b->tid);
	if (!ctl->restoring && filtered(b->tid, status))
		return ctl_set_error(
			ctl, -EPERM,
			"thread %d is under seccomp; suspending it requires CAP_SYS_ADMIN in the initial user namespace, and a tracer without seccomp",
			b->tid);
	b->own = snapshot->regs;
	b->mask = snapshot->sigmask;
	b->aborted = snapshot->rseq_abort != 0;
	if (b->aborted)
		arch_set_ip(&b->own, snapshot->rseq_abort);
	b->goal = b->own;
	b->cpu = status->cpu >= 0 ? status->cpu : target_cpu(b->tid);
	b->yield_signal = target_quiet_signal(status, b->mask);
	arch_finish_restart(b->tid, &b->goal, false, target_deliverable(status, b->mask) & status->caught);
	return 0;
}

int thread_borrow(struct compel_ctl *ctl, struct borrowed *b)
{
	_cleanup_free_ void *code = NULL;
	struct compel_regs regs;
	int err = 0;

	if (b->parked)
		return 0;
	code = malloc(arch_cave_size());
	if (!code)
		return ctl_set_error(ctl, -ENOMEM, "no memory");
	arch_cave_fill(code, &b->goal, b->mask);
	err = target_write(ctl->mem, b->tid, b->cave, code, arch_cave_size());
	if (err)
		return ctl_set_error(ctl, err, "cannot write to %#lx in %d", (unsigned long)b->cave, b->tid);
	regs = b->own;
	arch_park_regs(&regs, b->cave, &b->cure);
	err = set_regs(ctl, b, &regs);
	if (err)
		return err;
	b->parked = true;
	err = target_set_sigmask(b->tid, b->yield_signal ? ~BIT(b->yield_signal - 1) : ~0ull);
	return err ? ctl_set_error(ctl, err, "cannot block the signals of thread %d", b->tid) : 0;
}

int thread_restore(struct compel_ctl *ctl, struct borrowed *b)
{
	struct compel_regs regs;
	int err, e;

	if (!b->parked)
		return 0;
	b->parked = false;
	/* It may be on another stack: a signal that is unblocked must find its own one if we die before it has its registers. */
	regs = b->own;
	arch_park_regs(&regs, b->cave, &b->cure);
	arch_write_regs(b->tid, &regs);
	/* Both are tried even if one fails, and retried: a thread restored by half would crash. */
	err = target_set_sigmask(b->tid, b->mask);
	if (err)
		err = target_set_sigmask(b->tid, b->mask);
	e = arch_write_regs(b->tid, &b->own);
	if (e)
		e = arch_write_regs(b->tid, &b->own);
	ctl->not_restored |= e != 0;
	err = err ? err : e;
	return err ? ctl_set_error(ctl, err, "cannot restore the registers and signal mask of thread %d", b->tid) : 0;
}

int thread_call(struct compel_ctl *ctl, struct borrowed *b, const struct injected_call *call, long *ret_value)
{
	struct compel_regs regs;
	int err = thread_borrow(ctl, b);

	if (err)
		return err;
	regs = b->own;
	arch_call_regs(&regs, b->cave, call->cure, call->nr, call->args);
	err = run_call(ctl, b, &regs);
	if (!err)
		*ret_value = arch_call_value(&regs);
	return err;
}

int thread_enter(struct compel_ctl *ctl, struct borrowed *b, const struct cure *cure, unsigned int command,
		 long *ret_value)
{
	const struct gate_call call = {
		.gate = ctl->gate,
		.stack = ctl->stack,
		.entry = ctl->entry,
		.args = ctl->args,
		.cave = b->cave,
		.command = command,
		.yield_signal = b->yield_signal,
	};
	struct compel_regs regs = b->own;
	int err;

	arch_gate_regs(&regs, &call, cure);
	err = run_blob(ctl, b, cure, &regs);
	if (!err) {
		*ret_value = arch_gate_value(&regs);
		return 0;
	}
	if (err == -EFAULT) {
		/* It faulted: moves it out of the blob, back to the stub, and drops the signal. */
		unsigned long at = arch_read_regs(b->tid, &regs) ? 0 : arch_ip(&regs);
		static const unsigned long no_args[6];
		struct compel_regs out = b->own;

		arch_call_regs(&out, b->cave, cure, SYS_getpid, no_args);
		if (!run_call(ctl, b, &out))
			ctl_set_error(ctl, err, "the blob faulted at offset %#lx, in thread %d",
				      at - (unsigned long)ctl->blob, b->tid);
	}
	return err;
}
