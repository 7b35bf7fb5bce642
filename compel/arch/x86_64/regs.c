// SPDX-License-Identifier: LGPL-2.1-only
/* Registers of a stopped thread. */
#include <errno.h>
#include <elf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>

#include "../../src/arch.h"
#include "base/bits.h"
#include "base/cleanup.h"

#define RED_ZONE 128
#define CS_USER64 0x33
/* With AMX the area takes 11 KB; the kernel returns the actual size. */
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

uint64_t arch_sp(const struct compel_regs *regs)
{
	return regs->sp;
}

uint64_t arch_ip(const struct compel_regs *regs)
{
	return regs->ip;
}

void arch_set_ip(struct compel_regs *regs, uint64_t ip)
{
	regs->ip = ip;
}

void arch_enter_function(struct compel_regs *regs, uint64_t function, uint64_t arg, const struct compel_regs *bases)
{
	regs->sp = ROUND_DOWN(regs->sp - RED_ZONE, 16) - sizeof(uint64_t); /* for the return address */
	regs->ip = function;
	regs->di = arg;
	regs->orig_ax = -1;
	regs->fs_base = bases->fs_base;
	regs->gs_base = bases->gs_base;
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
