// SPDX-License-Identifier: LGPL-2.1-only
/* Registers of a stopped thread, and how the kernel restarts system calls on this CPU. */
#include <errno.h>
#include <elf.h>
#include <linux/futex.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>

#include "../../src/arch.h"
#include "base/bits.h"
#include "base/cleanup.h"

/* Kernel-internal results that only a tracer sees. */
#define ERESTARTSYS 512
#define ERESTARTNOINTR 513
#define ERESTARTNOHAND 514
#define ERESTART_RESTARTBLOCK 516

#define CS_USER64 0x33
#define SYSCALL_INSN_LEN 2
/* AMX brings the area to 11 KB; the kernel says how much it really is. */
#define XSTATE_ROOM (64 << 10)

int arch_read_regs(pid_t tid, struct compel_regs *ret_regs)
{
	struct compel_regs regs;
	struct iovec iov = { &regs, sizeof(regs) };

	if (ptrace(PTRACE_GETREGSET, tid, (void *)NT_PRSTATUS, &iov))
		return -errno;
	if (iov.iov_len != sizeof(regs)) /* the short layout of a 32-bit thread */
		return -ENOEXEC;
	*ret_regs = regs;
	return 0;
}

int arch_write_regs(pid_t tid, const struct compel_regs *regs)
{
	struct iovec iov = { (void *)regs, sizeof(*regs) };

	return ptrace(PTRACE_SETREGSET, tid, (void *)NT_PRSTATUS, &iov) ? -errno : 0;
}

bool arch_regs_native(const struct compel_regs *regs)
{
	return regs->cs == CS_USER64;
}

uint64_t arch_ip(const struct compel_regs *regs)
{
	return regs->ip;
}

void arch_set_ip(struct compel_regs *regs, uint64_t ip)
{
	regs->ip = ip;
}

static void issue_again(struct compel_regs *regs, uint64_t nr)
{
	regs->ax = nr;
	regs->ip -= SYSCALL_INSN_LEN;
	regs->orig_ax = -1;
}

/*
 * The kernel wrote what is left of a sleep through the call's last argument: sleeping on
 * from there is exact where the program passed one. It overwrites a register that only
 * holds the address of the whole span.
 */
static void sleep_on(struct compel_regs *regs)
{
	if (regs->orig_ax == SYS_nanosleep && regs->si)
		regs->di = regs->si;
	else if (regs->orig_ax == SYS_clock_nanosleep && regs->r10)
		regs->dx = regs->r10;
}

/*
 * A sleep that was interrupted and went on before only says restart_syscall. Its number is
 * in the code that made the call, as a rule right before: mov $nr, %eax; syscall. 0 if not.
 */
static uint64_t call_in_code(pid_t tid, uint64_t ip)
{
	static const short sleeps[] = { SYS_poll, SYS_nanosleep, SYS_futex, SYS_clock_nanosleep };
	unsigned char code[24];
	struct iovec here = { code, sizeof(code) },
		     there = { (void *)(ip - SYSCALL_INSN_LEN - sizeof(code)), sizeof(code) };

	if (process_vm_readv(tid, &here, 1, &there, 1, 0) != sizeof(code))
		return 0;
	for (int at = sizeof(code) - 5; at >= 0; at--) {
		uint32_t nr;

		if (code[at] != 0xb8)
			continue;
		memcpy(&nr, code + at + 1, sizeof(nr));
		for (size_t i = 0; i < ARRAY_SIZE(sleeps); i++)
			if (nr == (uint32_t)sleeps[i])
				return nr;
	}
	return 0;
}

/* The same sleep in another process. False if it cannot be told which it was. */
static bool sleep_elsewhere(pid_t tid, struct compel_regs *regs)
{
	if (regs->orig_ax == SYS_restart_syscall)
		regs->orig_ax = call_in_code(tid, regs->ip);
	if (!regs->orig_ax)
		return false;
	sleep_on(regs);
	issue_again(regs, regs->orig_ax);
	return true;
}

void arch_finish_restart(pid_t tid, struct compel_regs *regs, bool elsewhere, bool caught)
{
	if ((int64_t)regs->orig_ax < 0)
		return;
	switch (-(int64_t)regs->ax) {
	case ERESTARTSYS:
	case ERESTARTNOINTR:
		issue_again(regs, regs->orig_ax);
		return;
	case ERESTARTNOHAND:
		if (caught)
			break;
		issue_again(regs, regs->orig_ax);
		return;
	case ERESTART_RESTARTBLOCK:
		if (caught)
			break;
		if (!elsewhere)
			issue_again(regs, SYS_restart_syscall);
		else if (!sleep_elsewhere(tid, regs))
			break;
		return;
	default:
		return;
	}
	regs->ax = -EINTR;
	regs->orig_ax = -1;
}

/*
 * Calls that say EINTR to a stop without a signal. Not close(2): the descriptor is gone
 * then. Sends and receives do so with SO_RCVTIMEO or SO_SNDTIMEO.
 */
static bool reissuable(uint64_t nr)
{
	static const short list[] = {
		SYS_epoll_wait,
		SYS_epoll_pwait,
		441 /* epoll_pwait2 */,
		SYS_rt_sigtimedwait,
		SYS_semop,
		SYS_semtimedop,
		SYS_io_getevents,
		333 /* io_pgetevents */,
		426 /* io_uring_enter */,
		SYS_read,
		SYS_readv,
		SYS_write,
		SYS_writev,
		SYS_recvfrom,
		SYS_recvmsg,
		SYS_recvmmsg,
		SYS_sendto,
		SYS_sendmsg,
		SYS_sendmmsg,
		SYS_accept,
		SYS_accept4,
		SYS_connect,
	};

	for (size_t i = 0; i < ARRAY_SIZE(list); i++)
		if (nr == (uint64_t)list[i])
			return true;
	return false;
}

bool arch_reissue(struct compel_regs *regs)
{
	if ((int64_t)regs->ax != -EINTR || (int64_t)regs->orig_ax < 0 || !reissuable(regs->orig_ax))
		return false;
	issue_again(regs, regs->orig_ax);
	return true;
}

bool arch_unreissue(struct compel_regs *regs)
{
	if (regs->orig_ax != (uint64_t)-1 || !reissuable(regs->ax))
		return false;
	regs->ax = -EINTR;
	regs->ip += SYSCALL_INSN_LEN;
	return true;
}

/* ---- limits of time ---- */

#define RED_ZONE 128
#define FUTEX_PRIVATE_AND_CLOCK (FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME)

bool arch_is_continued(const struct compel_regs *regs)
{
	return (int64_t)regs->orig_ax >= 0 && (int64_t)regs->ax == -ERESTART_RESTARTBLOCK;
}

void arch_name_continued(struct compel_regs *regs, long nr)
{
	if (nr && regs->orig_ax == SYS_restart_syscall && arch_is_continued(regs))
		regs->orig_ax = nr;
}

void arch_call_args(const struct compel_regs *regs, unsigned long args[6])
{
	args[0] = regs->di;
	args[1] = regs->si;
	args[2] = regs->dx;
	args[3] = regs->r10;
	args[4] = regs->r8;
	args[5] = regs->r9;
}

/* The register of the call that holds its limit, or where that is; NULL: it has none, or an absolute one. */
static uint64_t *limit_register(struct compel_regs *regs)
{
	switch (regs->ax) {
	case SYS_poll:
		return (int32_t)regs->dx > 0 ? &regs->dx : NULL;
	case SYS_nanosleep:
		return regs->di && !regs->si ? &regs->di : NULL;
	case SYS_clock_nanosleep:
		return regs->dx && !regs->r10 && !(regs->si & TIMER_ABSTIME) ? &regs->dx : NULL;
	case SYS_futex:
		return regs->r10 && ((uint32_t)regs->si & ~FUTEX_PRIVATE_AND_CLOCK) == FUTEX_WAIT ? &regs->r10 : NULL;
	}
	return NULL;
}

enum limit_kind arch_limit_kind(const struct compel_regs *regs)
{
	struct compel_regs copy = *regs;

	if ((int64_t)regs->orig_ax >= 0 || !limit_register(&copy))
		return LIMIT_NONE;
	return regs->ax == SYS_poll ? LIMIT_MS : LIMIT_TIMESPEC;
}

uint64_t arch_limit(const struct compel_regs *regs)
{
	struct compel_regs copy = *regs;

	return *limit_register(&copy);
}

void arch_set_limit(struct compel_regs *regs, uint64_t limit)
{
	*limit_register(regs) = limit;
}

void arch_give_limit_back(struct compel_regs *regs, const struct compel_regs *own)
{
	regs->di = own->di;
	regs->dx = own->dx;
	regs->r10 = own->r10;
}

uint64_t arch_stack_room(const struct compel_regs *regs, size_t len)
{
	return ROUND_DOWN(regs->sp - RED_ZONE - len, 16);
}

int arch_read_xstate(pid_t tid, void **ret_area, size_t *ret_len)
{
	_cleanup_free_ void *area = malloc(XSTATE_ROOM);
	struct iovec iov = { area, XSTATE_ROOM };
	void *fit;

	if (!area)
		return -ENOMEM;
	if (ptrace(PTRACE_GETREGSET, tid, (void *)NT_X86_XSTATE, &iov))
		return -errno;
	fit = realloc(area, iov.iov_len);
	if (!fit)
		return -ENOMEM;
	area = NULL;
	*ret_area = fit;
	*ret_len = iov.iov_len;
	return 0;
}

int arch_write_xstate(pid_t tid, const void *area, size_t len)
{
	struct iovec iov = { (void *)area, len };

	return ptrace(PTRACE_SETREGSET, tid, (void *)NT_X86_XSTATE, &iov) ? -errno : 0;
}
