// SPDX-License-Identifier: LGPL-2.1-only
/*
 * Borrow a stopped thread and run things in it.
 *
 * The order of the steps is what makes it safe to be killed between any two of them:
 *   1. fill the cave (nobody looks there yet);
 *   2. point the registers behind the stub: from now on the cure puts them back;
 *   3. block all signals: the cure puts the mask back too;
 *   4. run calls: entry stop, exit stop, each by PTRACE_SYSCALL. Never PTRACE_SINGLESTEP:
 *      its SIGTRAP kills the target when the tracer is gone;
 *   5. the old mask, then the old registers: from here the kernel continues the thread,
 *      restarts of interrupted system calls included.
 * In between rsp is the thread's own, so a signal that gets in before step 3 finds a stack.
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

/* Let the thread go on by @request to its next stop of one of two kinds: at a system call (0), or a signal (its number). */
static int next_stop(struct compel_ctl *ctl, const struct borrowed *b, enum __ptrace_request request)
{
	int status, pass = 0;

	for (;;) {
		void (*meanwhile)(void *) = ctl->meanwhile;

		if (ptrace(request, b->tid, NULL, (void *)(long)pass))
			return ctl_set_error(ctl, -errno, "cannot resume thread %d", b->tid);
		pass = 0;
		ctl->meanwhile = NULL;
		if (meanwhile)
			meanwhile(ctl->meanwhile_arg);
		while (waitpid(b->tid, &status, __WALL) < 0)
			if (errno != EINTR)
				return ctl_set_error(ctl, -errno, "cannot wait for thread %d", b->tid);
		if (!WIFSTOPPED(status))
			return ctl_set_error(ctl, -ESRCH, "thread %d ended", b->tid);
		if (WSTOPSIG(status) == (SIGTRAP | 0x80))
			return 0;
		/* Stopped as a group, or asked to look again: it runs on for us all the same. */
		if (status >> 16 == PTRACE_EVENT_STOP)
			continue;
		/* The one signal that no mask holds back: the group stops when we are gone. */
		if (WSTOPSIG(status) != SIGSTOP)
			return WSTOPSIG(status);
		pass = SIGSTOP;
	}
}

static int faulted(struct compel_ctl *ctl, const struct borrowed *b, int sig)
{
	return ctl_set_error(ctl, -EFAULT, "signal %d in code that was put into thread %d", sig, b->tid);
}

static int syscall_stop(struct compel_ctl *ctl, const struct borrowed *b)
{
	int stop;

	do /* The quiet signal has no effect, whoever sent it. */
		stop = next_stop(ctl, b, PTRACE_SYSCALL);
	while (stop > 0 && stop == b->yield_signal);
	return stop > 0 ? faulted(ctl, b, stop) : stop;
}

static int set_regs(struct compel_ctl *ctl, const struct borrowed *b, const struct compel_regs *regs)
{
	int err = arch_write_regs(b->tid, regs);

	return err ? ctl_set_error(ctl, err, "cannot set registers of thread %d", b->tid) : 0;
}

/* Twice if need be: what a call that is over has returned must not be lost. */
static int get_regs(struct compel_ctl *ctl, const struct borrowed *b, struct compel_regs *ret)
{
	int err = arch_read_regs(b->tid, ret);

	if (err)
		err = arch_read_regs(b->tid, ret);
	return err ? ctl_set_error(ctl, err, "cannot read registers of thread %d", b->tid) : 0;
}

static bool at_entry(pid_t tid)
{
	unsigned char info[128] = { 0 }; /* struct ptrace_syscall_info: its first byte says where */

	return ptrace((enum __ptrace_request)PTRACE_GET_SYSCALL_INFO, tid, (void *)sizeof(info), info) > 0 &&
	       info[0] == SYSCALL_INFO_ENTRY;
}

/*
 * Something failed while the thread may stand at the entry of a system call. Whatever registers it gets there name the
 * call that is made next, be it one of its own that was over long ago. So the call is skipped; then it stands at its
 * exit, with @regs, the same whether we live or not.
 */
static void leave_entry(struct compel_ctl *ctl, const struct borrowed *b, const struct compel_regs *regs)
{
	for (int tries = 0; tries < 2 && at_entry(b->tid); tries++)
		if (!arch_write_regs(b->tid, regs))
			syscall_stop(ctl, b);
}

/* Run one system call at the stub, with @regs to start from and to end with. */
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
 * Run the blob to its end. At its end it sends itself a signal that it ignores: as long as
 * it is traced it stops for that, and the calls of the blob need not stop. Without such a
 * signal every system call stops, until it is the stub's.
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
			stops++; /* at entry and at exit, but one signal */
	} while (!err && stops < (b->yield_signal ? 1 : 2));
	arch_park_regs(&idle, b->cave, cure);
	if (err && err != -EFAULT)
		leave_entry(ctl, b, &idle);
	return err;
}

/* Injected calls would be turned into SIGSYS, which nothing could put back for a dead tracer. */
static bool dispatches_syscalls(pid_t tid)
{
	struct {
		uint64_t mode, selector, offset, len;
	} conf = { 0 };

	return !ptrace((enum __ptrace_request)PTRACE_GET_SYSCALL_USER_DISPATCH_CONFIG, tid, (void *)sizeof(conf),
		       &conf) &&
	       conf.mode;
}

/* Does seccomp see injected calls? Most filters kill for a call they do not expect, and which ones cannot be asked. */
static bool filtered(pid_t tid, const struct compel_status *status)
{
	const long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_SUSPEND_SECCOMP;

	return status->seccomp && ptrace(PTRACE_SETOPTIONS, tid, NULL, (void *)options);
}

static int look(struct compel_ctl *ctl, pid_t tid, struct compel_snapshot *ret)
{
	int err = compel_inspect(tid, NULL, ret);

	if (err == -ENOEXEC)
		return ctl_set_error(ctl, err, "thread %d runs 32-bit code", tid);
	if (err == -EAGAIN)
		return ctl_set_error(ctl, err, "thread %d is in the cave of a tracer that died", tid);
	return err ? ctl_set_error(ctl, err, "cannot read the registers and signals of thread %d", tid) : 0;
}

/* Decide from what the thread has what its cure gives back. */
int thread_remember(struct compel_ctl *ctl, struct borrowed *b, const struct compel_snapshot *snapshot)
{
	struct compel_snapshot own;
	const struct compel_status *status;
	int err = snapshot ? 0 : look(ctl, b->tid, &own);

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
		return ctl_set_error(ctl, -EPERM, "thread %d is under seccomp, which takes CAP_SYS_ADMIN to suspend",
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

int thread_give_back(struct compel_ctl *ctl, struct borrowed *b)
{
	int err, e;

	if (!b->parked)
		return 0;
	b->parked = false;
	/* Each of both whatever becomes of the other, and twice if need be: half of it would be the thread's end. */
	err = target_set_sigmask(b->tid, b->mask);
	if (err)
		err = target_set_sigmask(b->tid, b->mask);
	e = arch_write_regs(b->tid, &b->own);
	if (e)
		e = arch_write_regs(b->tid, &b->own);
	ctl->left_inside |= e != 0;
	err = err ? err : e;
	return err ? ctl_set_error(ctl, err, "cannot put back thread %d", b->tid) : 0;
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
		/* It faulted: take it out of the blob, swallow the signal, stand in the stub again. */
		unsigned long at = arch_read_regs(b->tid, &regs) ? 0 : arch_ip(&regs);
		static const unsigned long no_args[6];
		struct compel_regs out = b->own;

		arch_call_regs(&out, b->cave, cure, SYS_getpid, no_args);
		if (!run_call(ctl, b, &out))
			ctl_set_error(ctl, err, "the blob faulted at offset %#lx of its bytes, in thread %d",
				      at - (unsigned long)ctl->blob, b->tid);
	}
	return err;
}
