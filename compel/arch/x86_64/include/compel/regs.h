/* SPDX-License-Identifier: LGPL-2.1-only */
/* General registers of a thread: the kernel's own layout (NT_PRSTATUS). */
#pragma once
#include <stdint.h>

struct compel_regs {
	uint64_t r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di, orig_ax, ip, cs, flags, sp, ss,
		fs_base, gs_base, ds, es, fs, gs;
};

static inline uint64_t compel_stack_pointer(const struct compel_regs *regs)
{
	return regs->sp;
}
