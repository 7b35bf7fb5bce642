/* SPDX-License-Identifier: LGPL-2.1-only */
/* Direct system calls: they return the kernel's value, a negative errno on failure. */
#pragma once
#include <asm/unistd.h>

#define SYS_CALL_ASM(nr, ...)                                                                                       \
	({                                                                                                          \
		long _ret;                                                                                          \
		__asm__ volatile("syscall" : "=a"(_ret) : "0"((long)(nr)), ##__VA_ARGS__ : "rcx", "r11", "memory"); \
		_ret;                                                                                               \
	})

static inline long sys_call0(long nr)
{
	return SYS_CALL_ASM(nr);
}

static inline long sys_call1(long nr, long a)
{
	return SYS_CALL_ASM(nr, "D"(a));
}

static inline long sys_call2(long nr, long a, long b)
{
	return SYS_CALL_ASM(nr, "D"(a), "S"(b));
}

static inline long sys_call3(long nr, long a, long b, long c)
{
	return SYS_CALL_ASM(nr, "D"(a), "S"(b), "d"(c));
}

static inline long sys_call4(long nr, long a, long b, long c, long d)
{
	register long r10 __asm__("r10") = d;

	return SYS_CALL_ASM(nr, "D"(a), "S"(b), "d"(c), "r"(r10));
}

static inline long sys_call5(long nr, long a, long b, long c, long d, long e)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;

	return SYS_CALL_ASM(nr, "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8));
}

static inline long sys_call6(long nr, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;

	return SYS_CALL_ASM(nr, "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9));
}

/* Continues in the state of the frame at @sp (as when a handler has returned: past the frame's return address). */
static inline void __attribute__((noreturn)) sys_rt_sigreturn(unsigned long sp)
{
	__asm__ volatile("mov %0, %%rsp\n\tmov %1, %%eax\n\tsyscall\n\thlt"
			 :
			 : "r"(sp), "i"(__NR_rt_sigreturn)
			 : "memory");
	__builtin_unreachable();
}

/* Calls @fn(@arg) on another stack; it does not return. */
static inline void __attribute__((noreturn)) sys_switch_stack(unsigned long stack_top, void (*fn)(void *), void *arg)
{
	__asm__ volatile("mov %0, %%rsp\n\txor %%ebp, %%ebp\n\tcall *%1\n\thlt"
			 :
			 : "r"(stack_top & ~15ul), "r"(fn), "D"(arg)
			 : "memory");
	__builtin_unreachable();
}
