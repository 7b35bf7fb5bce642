// SPDX-License-Identifier: LGPL-2.1-only
/* Fills the cave of cave_code.S and sets registers for it. */
#include <string.h>

#include "../../src/arch.h"

extern const char cave_begin[], cave_restore[], cave_data[], cave_end[], gate_begin[], gate_end[];

#define STUB_LEN 2 /* a syscall instruction */
#define FLAG_TRAP 0x100ul
#define FLAG_DIRECTION 0x400ul
#define FLAG_ALIGN 0x40000ul

struct cave_data {
	uint64_t r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di, ip, flags, sp, mask, all;
};

size_t arch_cave_size(void)
{
	return cave_end - cave_begin;
}

void arch_cave_signature(char sign[CAVE_SIGNATURE_LEN])
{
	memcpy(sign, cave_begin, CAVE_SIGNATURE_LEN);
}

void arch_cave_fill(void *buf, const struct compel_regs *after, uint64_t mask)
{
	const struct cave_data data = {
		.r15 = after->r15,
		.r14 = after->r14,
		.r13 = after->r13,
		.r12 = after->r12,
		.bp = after->bp,
		.bx = after->bx,
		.r11 = after->r11,
		.r10 = after->r10,
		.r9 = after->r9,
		.r8 = after->r8,
		.ax = after->ax,
		.cx = after->cx,
		.dx = after->dx,
		.si = after->si,
		.di = after->di,
		.ip = after->ip,
		.flags = after->flags & ~FLAG_TRAP,
		.sp = after->sp,
		.mask = mask,
		.all = ~0ull,
	};

	memcpy(buf, cave_begin, arch_cave_size());
	memcpy((char *)buf + (cave_data - cave_begin), &data, sizeof(data));
}

size_t arch_cave_restore_offset(void)
{
	return cave_restore - cave_begin;
}

void arch_cave_after(const void *cave, struct compel_regs *ret_regs)
{
	struct cave_data data;

	memcpy(&data, (const char *)cave + (cave_data - cave_begin), sizeof(data));
	*ret_regs = (struct compel_regs){
		.r15 = data.r15,
		.r14 = data.r14,
		.r13 = data.r13,
		.r12 = data.r12,
		.bp = data.bp,
		.bx = data.bx,
		.r11 = data.r11,
		.r10 = data.r10,
		.r9 = data.r9,
		.r8 = data.r8,
		.ax = data.ax,
		.cx = data.cx,
		.dx = data.dx,
		.si = data.si,
		.di = data.di,
		.ip = data.ip,
		.flags = data.flags,
		.sp = data.sp,
	};
}

static void set_cure(struct compel_regs *regs, const struct cure *cure)
{
	regs->r15 = cure->mode;
	regs->r13 = cure->start;
	regs->r12 = cure->len;
	regs->orig_ax = -1;
	regs->flags &= ~(FLAG_TRAP | FLAG_DIRECTION | FLAG_ALIGN);
}

void arch_call_regs(struct compel_regs *regs, uint64_t cave, const struct cure *cure, long nr,
		    const unsigned long args[6])
{
	set_cure(regs, cure);
	regs->ip = cave;
	regs->ax = nr;
	regs->di = args[0];
	regs->si = args[1];
	regs->dx = args[2];
	regs->r10 = args[3];
	regs->r8 = args[4];
	regs->r9 = args[5];
}

void arch_park_regs(struct compel_regs *regs, uint64_t cave, const struct cure *cure)
{
	set_cure(regs, cure);
	regs->ip = cave + STUB_LEN;
	regs->ax = 0;
}

long arch_call_value(const struct compel_regs *regs)
{
	return (long)regs->ax;
}

bool arch_at_stub(const struct compel_regs *regs, uint64_t cave)
{
	return regs->ip == cave + STUB_LEN; /* after the instruction, at entry and at exit */
}

size_t arch_gate_size(void)
{
	return gate_end - gate_begin;
}

const void *arch_gate_code(void)
{
	return gate_begin;
}

void arch_gate_regs(struct compel_regs *regs, const struct gate_call *call, const struct cure *cure)
{
	set_cure(regs, cure);
	regs->ip = call->gate;
	regs->sp = call->stack;
	regs->ax = call->entry;
	regs->bx = call->cave;
	regs->r14 = call->yield_signal;
	regs->di = call->command;
	regs->si = call->args;
	regs->bp = 0;
}

long arch_gate_value(const struct compel_regs *regs)
{
	return (long)regs->bp;
}
