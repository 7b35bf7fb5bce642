// SPDX-License-Identifier: LGPL-2.1-only
/*
 * Makes a thread enter a call with a shorter timeout than the program passed, and interrupts it at once: the kernel
 * then saves the remaining time, as for any call that a stop interrupts, and continues from there (restart_syscall(2)).
 * The call reads its timeout on entry; afterwards the register and the memory are restored to the program's.
 */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>

#include "arch.h"
#include "base/bits.h"
#include "filter.h"
#include "target.h"

#define NS_PER_S 1000000000ull
#define NS_PER_MS 1000000ull
#define STOP_MS 10000

/* The location of the timeout that the call reads. */
struct limit {
	uint64_t at; /* 0: in a register */
	struct timespec was;
};

static bool access_memory(pid_t tid, uint64_t at, struct timespec *ts, bool write)
{
	struct iovec here = { ts, sizeof(*ts) }, there = { (void *)at, sizeof(*ts) };
	ssize_t n =
		write ? process_vm_writev(tid, &here, 1, &there, 1, 0) : process_vm_readv(tid, &here, 1, &there, 1, 0);

	return n == sizeof(*ts);
}

static int set_limit(pid_t tid, struct compel_regs *regs, uint64_t left_ns, struct limit *limit)
{
	struct timespec left = { left_ns / NS_PER_S, left_ns % NS_PER_S };
	uint64_t ms = MIN_OF(left_ns / NS_PER_MS + !!(left_ns % NS_PER_MS), (uint64_t)INT_MAX);

	limit->at = 0;
	if (arch_limit_type(regs) == LIMIT_MS) {
		if (ms < (uint32_t)arch_limit(regs))
			arch_set_limit(regs, ms);
		return 0;
	}
	limit->at = arch_stack_space(regs, sizeof(left));
	if (!access_memory(tid, limit->at, &limit->was, false) || !access_memory(tid, limit->at, &left, true))
		return -EAGAIN;
	arch_set_limit(regs, limit->at);
	return 0;
}

static void restore_limit(pid_t tid, struct limit *limit)
{
	if (limit->at)
		access_memory(tid, limit->at, &limit->was, true);
}

/*
 * Runs the thread into the call. -EAGAIN: a signal came first; it has been delivered when the thread has stopped again.
 */
static int enter(pid_t tid, const struct compel_regs *own)
{
	struct compel_stop stop;
	int status, sig, err;

	if (ptrace(PTRACE_SYSCALL, tid, NULL, NULL))
		return -errno;
	err = target_wait(tid, &status);
	if (err)
		return err;
	if (!WIFSTOPPED(status))
		return -ESRCH;
	if (WSTOPSIG(status) == (SIGTRAP | 0x80))
		return ptrace(PTRACE_INTERRUPT, tid, NULL, NULL) ? -errno : 0;
	err = arch_write_regs(tid, own);
	if (status >> 16)
		return err ? err : -EAGAIN;
	sig = WSTOPSIG(status);
	if (ptrace(PTRACE_INTERRUPT, tid, NULL, NULL) || ptrace(PTRACE_CONT, tid, NULL, (void *)(long)sig))
		return -errno;
	err = compel_wait_stop_for(tid, STOP_MS, &stop);
	return err ? err : stop.state == COMPEL_DEAD ? -ESRCH : -EAGAIN;
}

/* It is in the call, and about to be interrupted. */
static int leave(pid_t tid, const struct compel_regs *own)
{
	struct compel_stop stop;
	struct compel_regs regs;
	int err = ptrace(PTRACE_CONT, tid, NULL, NULL) ? -errno : compel_wait_stop_for(tid, STOP_MS, &stop);

	if (!err && stop.state == COMPEL_DEAD)
		err = -ESRCH;
	if (!err)
		err = arch_read_regs(tid, &regs);
	if (err)
		return err;
	arch_restore_limit(&regs, own);
	return arch_write_regs(tid, &regs);
}

int compel_call_rest(pid_t tid, const struct compel_thread_state *for_image, uint64_t *ret_left_ns)
{
	uint64_t at = arch_rest_address(&for_image->regs);
	struct timespec left = { 0 };

	if (!at || !access_memory(tid, at, &left, false) || left.tv_sec < 0 || left.tv_nsec < 0)
		return -ENODATA;
	*ret_left_ns = left.tv_sec * NS_PER_S + left.tv_nsec;
	return 0;
}

int compel_give_up_call(struct compel_thread_state *state)
{
	long nr = arch_call_before(&state->regs);

	if (nr < 0 || arch_limit_type(&state->regs) == LIMIT_NONE)
		return -EINVAL;
	arch_cancel_reissue(&state->regs);
	state->restart = COMPEL_NO_RESTART;
	return (int)nr;
}

int compel_shorten_call(pid_t tid, int nr, uint64_t left_ns)
{
	struct compel_regs own, regs;
	enum filter_verdict verdict;
	struct limit limit;
	int err = arch_read_regs(tid, &own);

	if (err)
		return err;
	/* Afterwards the kernel must be able to continue the call. */
	verdict = filter_query(tid, &own, arch_restart_nr(), false);
	if (verdict != FILTER_NONE && verdict != FILTER_PASS)
		return -EPERM;
	regs = own;
	arch_reissue(&regs, nr);
	err = set_limit(tid, &regs, left_ns, &limit);
	if (err)
		return err;
	err = arch_write_regs(tid, &regs);
	if (!err)
		err = enter(tid, &own);
	if (!err)
		err = leave(tid, &own);
	/* It may have been stopped when it entered the call. Where it cannot be taken out of it, it needs its timeout. */
	if (err && err != -EAGAIN && arch_write_regs(tid, &own))
		return err;
	restore_limit(tid, &limit);
	return err;
}
