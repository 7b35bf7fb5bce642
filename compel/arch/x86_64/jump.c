/* SPDX-License-Identifier: LGPL-2.1-only */
#include <compel/jump.h>

_Noreturn void compel_jump(uint64_t entry, uint64_t stack_top, unsigned int command, void *args)
{
	/* A call's stack: aligned to 16, with a return address of nowhere. */
	__asm__ volatile("mov %0, %%rsp\n\t"
			 "xor %%ebp, %%ebp\n\t"
			 "push $0\n\t"
			 "jmp *%1"
			 :
			 : "r"(stack_top & ~15ul), "r"(entry), "D"((unsigned long)command), "S"(args)
			 : "memory");
	__builtin_unreachable();
}
