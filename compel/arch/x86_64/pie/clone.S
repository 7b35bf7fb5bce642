/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Linked into blobs and the library. long sys_clone3_run(void *clone_args, size_t size, int (*fn)(void *), void *arg)
 */
#include <asm/unistd.h>

	.text
	.globl	sys_clone3_run
	.hidden	sys_clone3_run
	.type	sys_clone3_run, @function
sys_clone3_run:
	mov	%rdx, %r8		/* the kernel preserves r8 and r9 in parent and child */
	mov	%rcx, %r9
	mov	$__NR_clone3, %eax
	syscall
	test	%rax, %rax
	jz	1f
	ret
1:	xor	%ebp, %ebp
	and	$-16, %rsp
	mov	%r9, %rdi
	call	*%r8
	mov	%eax, %edi
	mov	$__NR_exit, %eax
	syscall
	hlt
	.size	sys_clone3_run, . - sys_clone3_run

	.section .note.GNU-stack, "", @progbits
