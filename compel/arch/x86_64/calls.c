// SPDX-License-Identifier: LGPL-2.1-only
/* How the kernel restarts system calls that a stop interrupted on this CPU, and their remaining timeouts. */
#include <errno.h>
#include <linux/audit.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>

#include "../../src/arch.h"
#include "base/bits.h"

/* Kernel-internal return values, visible only to a tracer. */
#define ERESTARTSYS 512
#define ERESTARTNOINTR 513
#define ERESTARTNOHAND 514
#define ERESTART_RESTARTBLOCK 516

#define SYSCALL_INSN_LEN 2
#define RED_ZONE 128
#define FUTEX_PRIVATE_AND_CLOCK (FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME)

/* Our headers are older than the kernels we run on. */
enum {
	NR_io_pgetevents = 333,
	NR_io_uring_enter = 426,
	NR_epoll_pwait2 = 441,
	URING_EXT_ARG = 1 << 3, /* IORING_ENTER_* */
	URING_ABS_TIMER = 1 << 5,
	URING_EXT_ARG_REG = 1 << 6,
};

void arch_reissue(struct compel_regs *regs, long nr)
{
	regs->ax = nr;
	regs->ip -= SYSCALL_INSN_LEN;
	regs->orig_ax = -1;
}

void arch_return_eintr(struct compel_regs *regs)
{
	regs->ax = -EINTR;
	regs->orig_ax = -1;
}

void arch_cancel_reissue(struct compel_regs *regs)
{
	regs->ip += SYSCALL_INSN_LEN;
	arch_return_eintr(regs);
}

void arch_restart_unless_handled(struct compel_regs *regs)
{
	regs->ax = -ERESTARTNOHAND;
}

long arch_call_before(const struct compel_regs *regs)
{
	return regs->orig_ax == (uint64_t)-1 ? (long)regs->ax : -1;
}

/*
 * For a sleep that was interrupted and continued before, the number is only that of restart_syscall. The original one
 * is in the code of the caller, usually right before: mov $nr, %eax; syscall. 0 if it is not found.
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

/* Restarts the call in another process. False if it is unknown which one it was. */
static bool reissue_elsewhere(pid_t tid, struct compel_regs *regs)
{
	if (regs->orig_ax == SYS_restart_syscall)
		regs->orig_ax = call_in_code(tid, regs->ip);
	if (!regs->orig_ax)
		return false;
	arch_reissue(regs, regs->orig_ax);
	return true;
}

void arch_finish_restart(pid_t tid, struct compel_regs *regs, bool elsewhere, bool caught)
{
	if ((int64_t)regs->orig_ax < 0)
		return;
	switch (-(int64_t)regs->ax) {
	case ERESTARTSYS:
	case ERESTARTNOINTR:
		arch_reissue(regs, regs->orig_ax);
		return;
	case ERESTARTNOHAND:
		if (caught)
			break;
		arch_reissue(regs, regs->orig_ax);
		return;
	case ERESTART_RESTARTBLOCK:
		if (caught)
			break;
		if (!elsewhere)
			arch_reissue(regs, SYS_restart_syscall);
		else if (!reissue_elsewhere(tid, regs))
			break;
		return;
	default:
		return;
	}
	arch_return_eintr(regs);
}

/* ---- restarts that are left to the kernel ---- */

struct compel_restart arch_restart_of(const struct compel_regs *stopped, const struct compel_regs *finished)
{
	int64_t code = -(int64_t)stopped->ax;
	bool again = arch_call_before(finished) >= 0;

	if ((int64_t)stopped->orig_ax < 0)
		return COMPEL_NO_RESTART;
	if (code == ERESTARTSYS || code == ERESTARTNOINTR || code == ERESTARTNOHAND)
		return (struct compel_restart){ .call = (long)stopped->orig_ax, .code = (int)code };
	/* The same without a restart block. */
	if (code == ERESTART_RESTARTBLOCK && again)
		return (struct compel_restart){ .call = arch_call_before(finished), .code = ERESTARTNOHAND };
	return COMPEL_NO_RESTART;
}

void arch_leave_restart_to_kernel(struct compel_regs *regs, const struct compel_restart *restart)
{
	if (arch_call_before(regs) == restart->call)
		regs->ip += SYSCALL_INSN_LEN;
	regs->ax = -(int64_t)restart->code;
	regs->orig_ax = restart->call;
}

bool arch_restart_fits(const struct compel_regs *regs, const struct compel_restart *restart)
{
	bool known = restart->code == ERESTARTSYS || restart->code == ERESTARTNOINTR || restart->code == ERESTARTNOHAND;
	int64_t before = arch_call_before(regs);

	return known && restart->call >= 0 && restart->call <= INT32_MAX &&
	       (before == restart->call || before == -EINTR);
}

static int usual_restart_of_futex(const struct compel_regs *regs)
{
	uint32_t op = (uint32_t)regs->si & ~FUTEX_PRIVATE_AND_CLOCK;

	return op == FUTEX_WAIT || op == FUTEX_WAIT_BITSET ? ERESTARTSYS : 0;
}

int arch_usual_restart(const struct compel_regs *regs, long nr)
{
	static const short after_handlers[] = {
		SYS_read,     SYS_readv,   SYS_write,  SYS_writev,	 SYS_wait4,	      SYS_waitid,  SYS_accept,
		SYS_accept4,  SYS_connect, SYS_sendto, SYS_sendmsg,	 SYS_recvfrom,	      SYS_recvmsg, SYS_recvmmsg,
		SYS_sendmmsg, SYS_flock,   SYS_fcntl,  SYS_mq_timedsend, SYS_mq_timedreceive,
	};
	static const short never_after_handlers[] = {
		SYS_pause, SYS_rt_sigsuspend,	SYS_select, SYS_pselect6,
		SYS_ppoll, SYS_clock_nanosleep, SYS_msgsnd, SYS_msgrcv,
	};

	if (nr == SYS_futex)
		return usual_restart_of_futex(regs);
	for (size_t i = 0; i < ARRAY_SIZE(after_handlers); i++)
		if (after_handlers[i] == nr)
			return ERESTARTSYS;
	for (size_t i = 0; i < ARRAY_SIZE(never_after_handlers); i++)
		if (never_after_handlers[i] == nr)
			return ERESTARTNOHAND;
	return 0;
}

bool arch_at_call(pid_t tid, const struct compel_regs *regs)
{
	static const unsigned char syscall_insn[SYSCALL_INSN_LEN] = { 0x0f, 0x05 };
	unsigned char code[SYSCALL_INSN_LEN];
	struct iovec here = { code, sizeof(code) }, there = { (void *)regs->ip, sizeof(code) };

	return process_vm_readv(tid, &here, 1, &there, 1, 0) == sizeof(code) &&
	       !memcmp(code, syscall_insn, sizeof(code));
}

/* ---- effect of a stop on the call ---- */

enum call_end arch_call_end(const struct compel_regs *regs)
{
	if ((int64_t)regs->orig_ax < 0)
		return CALL_UNTOUCHED;
	switch (-(int64_t)regs->ax) {
	case EINTR:
		return CALL_EINTR;
	case ERESTARTSYS:
	case ERESTARTNOINTR:
	case ERESTARTNOHAND:
		return CALL_RESTARTS;
	case ERESTART_RESTARTBLOCK:
		return CALL_CONTINUES;
	}
	return CALL_UNTOUCHED;
}

long arch_call_nr(const struct compel_regs *regs)
{
	return (long)regs->orig_ax;
}

static enum wait_limit relative(bool limited)
{
	return limited ? WAIT_RELATIVE : WAIT_UNLIMITED;
}

static enum wait_limit with_rest(uint64_t where, enum wait_limit how, uint64_t *ret_where)
{
	*ret_where = where;
	return where ? how : WAIT_UNLIMITED;
}

/* Calls that the kernel restarts with all of their arguments. */
static enum wait_limit limit_of_restarted(const struct compel_regs *regs, uint64_t *ret_where)
{
	switch (regs->orig_ax) {
	case SYS_select:
		return with_rest(regs->r8, WAIT_REST_US, ret_where);
	case SYS_pselect6:
		return with_rest(regs->r8, WAIT_REST_NS, ret_where);
	case SYS_ppoll:
		return with_rest(regs->dx, WAIT_REST_NS, ret_where);
	case SYS_recvmmsg:
	case NR_io_pgetevents:
		return relative(regs->r8);
	case SYS_read:
	case SYS_readv:
		*ret_where = (uint32_t)regs->di;
		return WAIT_BY_TERMINAL;
	}
	return WAIT_UNLIMITED;
}

static enum wait_limit limit_of_ring(const struct compel_regs *regs, uint64_t *ret_where)
{
	if (regs->r10 & URING_EXT_ARG_REG)
		return WAIT_RELATIVE;
	*ret_where = regs->r8;
	if (!(regs->r10 & URING_EXT_ARG))
		return WAIT_UNLIMITED;
	return regs->r10 & URING_ABS_TIMER ? WAIT_BY_RING_UNTIL : WAIT_BY_RING;
}

/* Calls that return EINTR after a stop. Not close(2), which has closed the descriptor by then. */
static enum wait_limit limit_of_ended(const struct compel_regs *regs, uint64_t *ret_where)
{
	switch (regs->orig_ax) {
	case SYS_epoll_wait:
	case SYS_epoll_pwait:
		return relative((int32_t)regs->r10 >= 0);
	case NR_epoll_pwait2:
	case SYS_semtimedop:
		return relative(regs->r10);
	case SYS_semop:
		return WAIT_UNLIMITED;
	case SYS_rt_sigtimedwait:
		return relative(regs->dx);
	case SYS_io_getevents:
	case NR_io_pgetevents:
		return relative(regs->r8);
	case NR_io_uring_enter:
		return limit_of_ring(regs, ret_where);
	case SYS_read:
	case SYS_readv:
	case SYS_write:
	case SYS_writev:
		/* Sockets: only with SO_RCVTIMEO or SO_SNDTIMEO, as all other socket calls. */
		*ret_where = (uint32_t)regs->di;
		return WAIT_BY_SOCKET;
	}
	return WAIT_RELATIVE;
}

/* Calls that restart_syscall(2) continues, if they were restarted instead. */
static enum wait_limit limit_of_continued(const struct compel_regs *regs)
{
	switch (regs->orig_ax) {
	case SYS_poll:
		return relative((int32_t)regs->dx >= 0);
	case SYS_clock_nanosleep:
		return relative(!(regs->si & TIMER_ABSTIME));
	case SYS_futex:
		return relative(((uint32_t)regs->si & ~FUTEX_PRIVATE_AND_CLOCK) == FUTEX_WAIT && regs->r10);
	}
	return WAIT_RELATIVE;
}

enum wait_limit arch_wait_limit(const struct compel_regs *regs, uint64_t *ret_where)
{
	switch (arch_call_end(regs)) {
	case CALL_EINTR:
		return limit_of_ended(regs, ret_where);
	case CALL_RESTARTS:
		return limit_of_restarted(regs, ret_where);
	case CALL_CONTINUES:
		return limit_of_continued(regs);
	default:
		return WAIT_UNLIMITED;
	}
}

long arch_restart_nr(void)
{
	return SYS_restart_syscall;
}

void arch_seccomp_data(const struct compel_regs *regs, long nr, struct seccomp_data *ret)
{
	unsigned long args[6];

	arch_call_args(regs, args);
	*ret = (struct seccomp_data){ .nr = (int)nr, .arch = AUDIT_ARCH_X86_64, .instruction_pointer = regs->ip };
	for (size_t i = 0; i < ARRAY_SIZE(args); i++)
		ret->args[i] = args[i];
}

/* ---- timeouts ---- */

bool arch_is_continued(const struct compel_regs *regs)
{
	return arch_call_end(regs) == CALL_CONTINUES;
}

void arch_set_continued(struct compel_regs *regs, long nr)
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

/* The register with the call's timeout, or with its address; NULL: it has none, or an absolute one. */
static uint64_t *limit_register(struct compel_regs *regs)
{
	switch (regs->ax) {
	case SYS_poll:
		return (int32_t)regs->dx > 0 ? &regs->dx : NULL;
	case SYS_nanosleep:
		return regs->di ? &regs->di : NULL;
	case SYS_clock_nanosleep:
		return regs->dx && !(regs->si & TIMER_ABSTIME) ? &regs->dx : NULL;
	case SYS_futex:
		return regs->r10 && ((uint32_t)regs->si & ~FUTEX_PRIVATE_AND_CLOCK) == FUTEX_WAIT ? &regs->r10 : NULL;
	}
	return NULL;
}

enum limit_type arch_limit_type(const struct compel_regs *regs)
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

void arch_restore_limit(struct compel_regs *regs, const struct compel_regs *own)
{
	regs->di = own->di;
	regs->dx = own->dx;
	regs->r10 = own->r10;
}

uint64_t arch_rest_address(const struct compel_regs *regs)
{
	switch (regs->ax) {
	case SYS_nanosleep:
		return regs->si;
	case SYS_clock_nanosleep:
		return regs->r10;
	}
	return 0;
}

uint64_t arch_stack_space(const struct compel_regs *regs, size_t len)
{
	return ROUND_DOWN(regs->sp - RED_ZONE - len, 16);
}
