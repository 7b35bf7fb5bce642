/* SPDX-License-Identifier: LGPL-2.1-only */
/* The kernel's signal frame (arch/x86/include/asm/sigframe.h), as rt_sigreturn reads it and a handler finds it. */
#include <asm/sigcontext.h>
#include <compel/jump.h>
#include <stddef.h>
#include <string.h>
#include "../../src/arch.h"
#include "base/bits.h"

/* The kernel's struct ucontext and siginfo, spelled out: their headers conflict with libc's. */
struct frame {
	uint64_t return_address;
	uint64_t uc_flags, uc_link;
	uint64_t ss_sp;
	uint32_t ss_flags, ss_pad;
	uint64_t ss_size;
	struct sigcontext_64 mcontext;
	uint64_t sigmask;
	char siginfo[128];
};

/* From asm/ucontext.h, which conflicts with libc's. */
#define UC_FP_XSTATE 1
#define UC_SIGCONTEXT_SS 2
#define UC_STRICT_RESTORE_SS 4

#define FRAME_SPACE ROUND_UP(sizeof(struct frame), 64)
#define SW_RESERVED 464 /* offset of struct _fpx_sw_bytes in the fxsave area */

size_t compel_sigframe_size(const struct compel_thread_state *state)
{
	return FRAME_SPACE + 64 + state->xsave_len + FP_XSTATE_MAGIC2_SIZE;
}

static void fill_general(struct sigcontext_64 *to, const struct compel_regs *r)
{
	to->r8 = r->r8;
	to->r9 = r->r9;
	to->r10 = r->r10;
	to->r11 = r->r11;
	to->r12 = r->r12;
	to->r13 = r->r13;
	to->r14 = r->r14;
	to->r15 = r->r15;
	to->di = r->di;
	to->si = r->si;
	to->bp = r->bp;
	to->bx = r->bx;
	to->dx = r->dx;
	to->ax = r->ax;
	to->cx = r->cx;
	to->sp = r->sp;
	to->ip = r->ip;
	to->flags = r->flags;
}

static void fill_registers(struct sigcontext_64 *to, const struct compel_regs *r)
{
	fill_general(to, r);
	to->cs = r->cs;
	to->ss = r->ss;
}

uint64_t compel_sigframe_build(const struct compel_thread_state *state, const struct compel_altstack *altstack,
			       void *buf)
{
	/* The stack pointer is after the return address, 16-byte aligned. */
	struct frame *f = (struct frame *)(ROUND_UP((uintptr_t)buf, 64) + 8);
	char *fpu = (char *)ROUND_UP((uintptr_t)f + sizeof(*f), 64);
	struct _fpx_sw_bytes sw = { 0 };
	uint32_t magic2 = FP_XSTATE_MAGIC2;
	uint64_t features;

	memset(f, 0, sizeof(*f));
	f->uc_flags = UC_FP_XSTATE | UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS;
	f->ss_sp = altstack->sp;
	f->ss_size = altstack->size;
	f->ss_flags = altstack->flags;
	f->sigmask = state->sigmask;
	fill_registers(&f->mcontext, &state->regs);
	if (!state->xsave || state->xsave_len < 576)
		return (uintptr_t)f + 8;
	memcpy(fpu, state->xsave, state->xsave_len);
	/* In the area returned by ptrace XCR0 is at the same offset (user_xstateregs). */
	memcpy(&features, fpu + SW_RESERVED, sizeof(features));
	sw.magic1 = FP_XSTATE_MAGIC1;
	sw.extended_size = state->xsave_len + FP_XSTATE_MAGIC2_SIZE;
	sw.xfeatures = features;
	sw.xstate_size = state->xsave_len;
	memcpy(fpu + SW_RESERVED, &sw, sizeof(sw));
	memcpy(fpu + state->xsave_len, &magic2, sizeof(magic2));
	f->mcontext.fpstate = (uintptr_t)fpu;
	return (uintptr_t)f + 8;
}

/* ---- frames of handlers in a target ---- */

size_t arch_frame_size(void)
{
	return sizeof(struct frame);
}

size_t arch_frame_ip_offset(void)
{
	return offsetof(struct frame, mcontext.ip);
}

bool arch_frame_skip_cave(void *frame, const struct compel_regs *after)
{
	struct frame f;
	struct sigcontext_64 *c = &f.mcontext;

	memcpy(&f, frame, sizeof(f));
	/* A call at the stub changes the others. */
	if (c->sp != after->sp || c->bp != after->bp || c->bx != after->bx || c->r14 != after->r14)
		return false;
	fill_general(c, after);
	memcpy(frame, &f, sizeof(f));
	return true;
}
