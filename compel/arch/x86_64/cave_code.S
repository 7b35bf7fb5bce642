/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Bytes that the library copies into a target; they never run here.
 *
 * The cave: a `syscall` instruction for injected calls, followed by the cure. While the thread is traced it stops right
 * after the instruction and never gets past it. If the tracer dies the thread falls through and restores everything by
 * itself, without using a stack, a descriptor, an FPU register or a signal frame. The data after the code are read-only
 * for the target; the tracer fills them in.
 *
 * r15: what to do first (enum cure_mode); r13 and r12: the scratch area and its length.
 */
#define NR_munmap 11
#define NR_rt_sigprocmask 14
#define NR_gettid 186
#define NR_tkill 200
#define NR_futex 202
#define FUTEX_WAIT_PRIVATE 128
#define FUTEX_WAKE_OP_PRIVATE 133
#define SIG_SETMASK 2

	.section .rodata
	.balign 16
	.globl cave_begin, cave_restore, cave_data, cave_end
cave_begin:
	syscall
	cmp	$1, %r15d		/* CURE_KEEP */
	je	restore
	cmp	$3, %r15d		/* CURE_LEAVE */
	je	leave
	cmp	$4, %r15d		/* CURE_UNMAP_NOW */
	je	unmap
	cmp	$2, %r15d		/* CURE_IF_MAPPED */
	jne	wait
	cmp	%rax, %r13
	jne	restore
wait:
	cmpl	$0, (%r13)
	je	unmap
	mov	%r13, %rdi
	mov	$FUTEX_WAIT_PRIVATE, %esi
	mov	$1, %edx
	xor	%r10d, %r10d
	mov	$NR_futex, %eax
	syscall
	jmp	wait
leave:
	/* Zero the word and wake its waiter, in one call that tolerates it if the word is already unmapped. */
	mov	%r13, %rdi
	mov	$FUTEX_WAKE_OP_PRIVATE, %esi
	mov	$1, %edx
	xor	%r10d, %r10d
	mov	%r13, %r8
	xor	%r9d, %r9d		/* FUTEX_OP(FUTEX_OP_SET, 0, FUTEX_OP_CMP_EQ, 0) */
	mov	$NR_futex, %eax
	syscall
	jmp	restore
unmap:
	mov	%r13, %rdi
	mov	%r12, %rsi
	mov	$NR_munmap, %eax
	syscall
cave_restore:
restore:
	/* All signals must be blocked while the stack pointer is used to load the flags. */
	lea	d_all(%rip), %rsi
	mov	$SIG_SETMASK, %edi
	xor	%edx, %edx
	mov	$8, %r10d
	mov	$NR_rt_sigprocmask, %eax
	syscall
	lea	d_flags(%rip), %rsp
	popfq
	/* From here on the flags must not change. */
	mov	d_sp(%rip), %rsp
	mov	d_r15(%rip), %r15
	mov	d_r14(%rip), %r14
	mov	d_r13(%rip), %r13
	mov	d_r12(%rip), %r12
	mov	d_bp(%rip), %rbp
	mov	d_bx(%rip), %rbx
	mov	d_r9(%rip), %r9
	mov	d_r8(%rip), %r8
	lea	d_mask(%rip), %rsi
	mov	$SIG_SETMASK, %edi
	mov	$0, %edx
	mov	$8, %r10d
	mov	$NR_rt_sigprocmask, %eax
	syscall
	mov	d_r11(%rip), %r11
	mov	d_r10(%rip), %r10
	mov	d_cx(%rip), %rcx
	mov	d_dx(%rip), %rdx
	mov	d_si(%rip), %rsi
	mov	d_di(%rip), %rdi
	mov	d_ax(%rip), %rax
	jmp	*d_ip(%rip)

	.balign 8
cave_data:				/* struct cave_data of cave.c */
d_r15:	.quad 0
d_r14:	.quad 0
d_r13:	.quad 0
d_r12:	.quad 0
d_bp:	.quad 0
d_bx:	.quad 0
d_r11:	.quad 0
d_r10:	.quad 0
d_r9:	.quad 0
d_r8:	.quad 0
d_ax:	.quad 0
d_cx:	.quad 0
d_dx:	.quad 0
d_si:	.quad 0
d_di:	.quad 0
d_ip:	.quad 0
d_flags: .quad 0
d_sp:	.quad 0
d_mask:	.quad 0
d_all:	.quad -1
cave_end:

/*
 * The gate is in the scratch area: it calls the blob, then jumps to the stub to send itself a signal (r14, 0 for none;
 * see thread_enter in call.c). r12 to r15, which the cave needs, and rbx, the address of the stub, are preserved by the
 * C calling convention.
 */
	.balign 16
	.globl gate_begin, gate_end
gate_begin:
	call	*%rax
	mov	%rax, %rbp
	mov	$NR_gettid, %eax
	syscall
	mov	%eax, %edi
	mov	%r14d, %esi
	mov	$NR_tkill, %eax
	jmp	*%rbx
gate_end:

	.section .note.GNU-stack, "", @progbits
