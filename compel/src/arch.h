/* SPDX-License-Identifier: LGPL-2.1-only */
/* What every CPU's folder arch/NAME/ provides to the library. Nothing else of it is CPU-specific. */
#pragma once
#include <compel/compel.h>

/* ---- registers (regs.c) ---- */

int arch_read_regs(pid_t tid, struct compel_regs *ret_regs);
int arch_write_regs(pid_t tid, const struct compel_regs *regs);
/* False for a thread that runs in another mode than this program was built for (32-bit). */
bool arch_regs_native(const struct compel_regs *regs);
uint64_t arch_ip(const struct compel_regs *regs);
void arch_set_ip(struct compel_regs *regs, uint64_t ip);

/*
 * The thread stands at the end of a system call that the kernel wants to restart: do what
 * the kernel would do if no signal came. With @elsewhere the state is for another process,
 * where no restart block waits: the call is issued again with its arguments. @caught says
 * that a signal with a handler waits for the thread: calls that never restart after a
 * handler return EINTR then.
 */
void arch_finish_restart(pid_t tid, struct compel_regs *regs, bool elsewhere, bool caught);
/* A call that never restarts by itself returned EINTR: have it issued again (true), if it is one where that is right. */
bool arch_reissue(struct compel_regs *regs);
/* Take the above back: @regs as arch_reissue left them, now to return EINTR. False if they are no longer that. */
bool arch_unreissue(struct compel_regs *regs);

/* Is the thread in a call that goes on by what the kernel remembers of it? */
bool arch_is_continued(const struct compel_regs *regs);
/* It was restart_syscall that was interrupted, for the call @nr; 0: not known. */
void arch_name_continued(struct compel_regs *regs, long nr);
void arch_call_args(const struct compel_regs *regs, unsigned long args[6]);
/* Is the thread before a call with a limit to its time, and how is that passed? */
enum limit_kind { LIMIT_NONE, LIMIT_MS, LIMIT_TIMESPEC };
enum limit_kind arch_limit_kind(const struct compel_regs *regs);
/* The limit of that call: a number of milliseconds, or the address of a struct timespec. */
void arch_set_limit(struct compel_regs *regs, uint64_t limit);
uint64_t arch_limit(const struct compel_regs *regs);
/* The call has been entered: the program's own register again. */
void arch_give_limit_back(struct compel_regs *regs, const struct compel_regs *own);
/* Where the thread's stack has room for @len bytes that no code uses. */
uint64_t arch_stack_room(const struct compel_regs *regs, size_t len);

/* The extended state, by the CPU's own size; *ret_area is malloc'ed. */
int arch_read_xstate(pid_t tid, void **ret_area, size_t *ret_len);
int arch_write_xstate(pid_t tid, const void *area, size_t len);

/* ---- the cave (cave.c) ---- */

/* What the cure does before it puts the registers back. */
enum cure_mode {
	CURE_UNMAP = 0, /* wait until no other thread is in the scratch, then unmap it */
	CURE_KEEP = 1, /* nothing is mapped */
	CURE_IF_MAPPED = 2, /* unmap if the call that just ran says it mapped it there (rax) */
	CURE_LEAVE = 3, /* a second thread: say that it is out of the scratch */
	CURE_UNMAP_NOW = 4, /* unmap, nobody else can be in there */
};

struct cure {
	enum cure_mode mode;
	uint64_t start, len; /* the scratch; its first 32 bits say whether another thread is inside */
};

size_t arch_cave_size(void);
/* How every cave begins. */
#define CAVE_SIGN_LEN 16
void arch_cave_sign(char sign[CAVE_SIGN_LEN]);
/* Fill @buf (arch_cave_size) with the code and with what the cure is to put back. */
void arch_cave_fill(void *buf, const struct compel_regs *after, uint64_t mask);
/* Registers that make the thread issue call @nr at the cave's stub @cave and then stop there. */
void arch_call_regs(struct compel_regs *regs, uint64_t cave, const struct cure *cure, long nr,
		    const unsigned long args[6]);
long arch_call_value(const struct compel_regs *regs);
/* In a stop that the stub's system call caused? */
bool arch_at_stub(const struct compel_regs *regs, uint64_t cave);

/* Code at the head of the scratch: calls the blob's entry, then yields through the stub. */
size_t arch_gate_size(void);
const void *arch_gate_code(void);

struct gate_call {
	uint64_t gate, stack, entry, args, cave;
	unsigned int command;
	int yield_signal; /* sent to itself at the end; 0 for none */
};
void arch_gate_regs(struct compel_regs *regs, const struct gate_call *call, const struct cure *cure);
long arch_gate_value(const struct compel_regs *regs);
