/* SPDX-License-Identifier: LGPL-2.1-only */
/* What every CPU's folder arch/NAME/ provides to the library. Nothing else of it is CPU-specific. */
#pragma once
#include <compel/compel.h>

/* ---- registers (regs.c), system calls (calls.c) ---- */

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
/* Issue call @nr (again), with the arguments that the registers hold. */
void arch_issue_again(struct compel_regs *regs, long nr);
/* The call that was interrupted returns EINTR. */
void arch_return_eintr(struct compel_regs *regs);
/* Is the thread before call @nr, by arch_issue_again? Then that call returns EINTR instead. */
bool arch_take_back(struct compel_regs *regs, long nr);

/* The number of the call that arch_issue_again has it stand before; negative: none. */
long arch_call_before(const struct compel_regs *regs);

/* What a stop did to the call that it interrupted. */
enum call_end {
	CALL_UNTOUCHED, /* there was none */
	CALL_EINTR, /* it returns EINTR, if it is left at that */
	CALL_RESTARTS, /* the kernel issues it again */
	CALL_CONTINUES, /* the kernel goes on with it, by restart_syscall(2) */
};
enum call_end arch_call_end(const struct compel_regs *regs);
/* The number of that call. */
long arch_call_nr(const struct compel_regs *regs);

/* How long would that call wait if it were issued again as it is? */
enum wait_limit {
	WAIT_UNLIMITED, /* as before: it has no limit, or one that is a point in time */
	WAIT_RELATIVE, /* the whole of its time again */
	/* The rest of its time, which the kernel has written to *ret_where: a struct timeval, a struct timespec. */
	WAIT_REST_US,
	WAIT_REST_NS,
	/* As WAIT_RELATIVE, if the descriptor *ret_where is a socket; a terminal with VTIME. Else unlimited. */
	WAIT_BY_SOCKET,
	WAIT_BY_TERMINAL,
	/* By the struct io_uring_getevents_arg at *ret_where; UNTIL: its time is a point in time. */
	WAIT_BY_RING,
	WAIT_BY_RING_UNTIL,
};
enum wait_limit arch_wait_limit(const struct compel_regs *regs, uint64_t *ret_where);

/* What filters of the thread are shown for that call with number @nr. */
struct seccomp_data;
void arch_seccomp_data(const struct compel_regs *regs, long nr, struct seccomp_data *ret);
/* restart_syscall(2) */
long arch_restart_nr(void);

/* As if @function(@arg) had just been called, below what the stack holds now. */
void arch_enter_function(struct compel_regs *regs, uint64_t function, uint64_t arg, const struct compel_regs *bases);
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
/* Where a sleep's rest was to be written to; 0: nowhere. */
uint64_t arch_rest_address(const struct compel_regs *regs);
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
/* Registers of a thread that waits in the cave for its next call, and would go straight to the cure. */
void arch_park_regs(struct compel_regs *regs, uint64_t cave, const struct cure *cure);
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
