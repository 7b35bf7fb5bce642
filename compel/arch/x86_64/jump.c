/* SPDX-License-Identifier: LGPL-2.1-only */
#include <compel/jump.h>

/* pie/clone.S */
long sys_clone3_run(void *clone_args, size_t size, int (*fn)(void *), void *arg);

long compel_clone(void *clone_args, size_t size, int (*fn)(void *), void *arg)
{
	return sys_clone3_run(clone_args, size, fn, arg);
}

_Noreturn void compel_jump(uint64_t entry, uint64_t stack_top, unsigned int command, void *args)
{
	/* The stack as after a call: aligned to 16 bytes, with a zero return address. */
	__asm__ volatile("mov %0, %%rsp\n\t"
			 "xor %%ebp, %%ebp\n\t"
			 "push $0\n\t"
			 "jmp *%1"
			 :
			 : "r"(stack_top & ~15ul), "r"(entry), "D"((unsigned long)command), "S"(args)
			 : "memory");
	__builtin_unreachable();
}
