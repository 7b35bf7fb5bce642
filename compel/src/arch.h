/* SPDX-License-Identifier: LGPL-2.1-only */
/* The functions that every folder arch/CPU/ provides to the library. Nothing else in it is CPU-specific. */
#pragma once
#include <compel/compel.h>

/* ---- registers (regs.c), system calls (calls.c) ---- */

int arch_read_regs(pid_t tid, struct compel_regs *ret_regs);
int arch_write_regs(pid_t tid, const struct compel_regs *regs);
/* False for a thread in a mode that this program was not built for (32-bit). */
bool arch_regs_native(const struct compel_regs *regs);
uint64_t arch_ip(const struct compel_regs *regs);
uint64_t arch_sp(const struct compel_regs *regs);
void arch_set_ip(struct compel_regs *regs, uint64_t ip);

/*
 * If the thread is at the exit of a system call that the kernel is about to restart: sets the registers as the kernel
 * would without a signal. With @elsewhere the state is for another process, without a restart block: the call is
 * restarted with its arguments. @caught: a signal with a handler is pending: calls that never restart after a handler
 * return EINTR then.
 */
void arch_finish_restart(pid_t tid, struct compel_regs *regs, bool elsewhere, bool caught);
/* Sets the registers to issue call @nr (again), with the arguments in the registers. */
void arch_reissue(struct compel_regs *regs, long nr);
/* The call returned EINTR because of the stop: it is restarted instead, unless a signal is handled first. */
void arch_restart_unless_handled(struct compel_regs *regs);
/* What arch_finish_restart has changed @stopped into, which was read at the stop. */
struct compel_restart arch_restart_of(const struct compel_regs *stopped, const struct compel_regs *finished);
/* Undoes that change: the kernel does it when the thread runs, by the signals pending then. */
void arch_leave_restart_to_kernel(struct compel_regs *regs, const struct compel_restart *restart);
/* Can these registers be the result of arch_finish_restart for such a call? */
bool arch_restart_fits(const struct compel_regs *regs, const struct compel_restart *restart);
/* The kernel's usual restart code for call @nr; 0: unknown. */
int arch_usual_restart(const struct compel_regs *regs, long nr);
/* Is the next instruction of the thread a system call? */
bool arch_at_call(pid_t tid, const struct compel_regs *regs);
/* Makes the interrupted call return EINTR. */
void arch_return_eintr(struct compel_regs *regs);
/* The thread is about to issue a call, by arch_reissue: makes it return EINTR instead. */
void arch_cancel_reissue(struct compel_regs *regs);

/* The number of the call that it is about to issue, by arch_reissue; negative: none. */
long arch_call_before(const struct compel_regs *regs);

/* Effect of a stop on the call that it interrupted. */
enum call_end {
	CALL_UNTOUCHED, /* there was none */
	CALL_EINTR, /* it returns EINTR, unless changed */
	CALL_RESTARTS, /* the kernel restarts it */
	CALL_CONTINUES, /* the kernel continues it, with restart_syscall(2) */
};
enum call_end arch_call_end(const struct compel_regs *regs);
/* The number of that call. */
long arch_call_nr(const struct compel_regs *regs);

/* How long would that call wait if it were restarted unchanged? */
enum wait_limit {
	WAIT_UNLIMITED, /* as before: it has no timeout, or an absolute one */
	WAIT_RELATIVE, /* its full timeout again */
	/* The remaining time, which the kernel has written to *ret_where: a struct timeval, a struct timespec. */
	WAIT_REST_US,
	WAIT_REST_NS,
	/* As WAIT_RELATIVE, if the descriptor *ret_where is a socket; a terminal with VTIME. Otherwise unlimited. */
	WAIT_BY_SOCKET,
	WAIT_BY_TERMINAL,
	/* By the struct io_uring_getevents_arg at *ret_where; UNTIL: its timeout is absolute. */
	WAIT_BY_RING,
	WAIT_BY_RING_UNTIL,
};
enum wait_limit arch_wait_limit(const struct compel_regs *regs, uint64_t *ret_where);

/* The data that the thread's filters get for that call with number @nr. */
struct seccomp_data;
void arch_seccomp_data(const struct compel_regs *regs, long nr, struct seccomp_data *ret);
/* restart_syscall(2) */
long arch_restart_nr(void);

/* As if @function(@arg) had just been called, below the current stack content. */
void arch_enter_function(struct compel_regs *regs, uint64_t function, uint64_t arg, const struct compel_regs *bases);
/* Is the thread in a call that the kernel continues from its restart block? */
bool arch_is_continued(const struct compel_regs *regs);
/* restart_syscall was interrupted, for the call @nr; 0: unknown. */
void arch_set_continued(struct compel_regs *regs, long nr);
void arch_call_args(const struct compel_regs *regs, unsigned long args[6]);
/* Is the thread about to issue a call with a timeout, and how is that passed? */
enum limit_type { LIMIT_NONE, LIMIT_MS, LIMIT_TIMESPEC };
enum limit_type arch_limit_type(const struct compel_regs *regs);
/* Sets the timeout of that call: in milliseconds, or the address of a struct timespec. */
void arch_set_limit(struct compel_regs *regs, uint64_t limit);
uint64_t arch_limit(const struct compel_regs *regs);
/* The call has been entered: restores the program's register. */
void arch_restore_limit(struct compel_regs *regs, const struct compel_regs *own);
/* The address for a sleep's remaining time; 0: none. */
uint64_t arch_rest_address(const struct compel_regs *regs);
/* An address on the thread's stack with @len unused bytes. */
uint64_t arch_stack_space(const struct compel_regs *regs, size_t len);

/* The extended state, in the CPU's own size; *ret_area is malloc'ed. */
int arch_read_xstate(pid_t tid, void **ret_area, size_t *ret_len);
int arch_write_xstate(pid_t tid, const void *area, size_t len);

/* ---- the cave (cave.c) ---- */

/* What the cure does before it restores the registers. */
enum cure_mode {
	CURE_UNMAP = 0, /* wait until no other thread is in the scratch area, then unmap it */
	CURE_KEEP = 1, /* nothing is mapped */
	CURE_IF_MAPPED = 2, /* unmap if the call that just ran has mapped it there (rax) */
	CURE_LEAVE = 3, /* a second thread: report that it has left the scratch area */
	CURE_UNMAP_NOW = 4, /* unmap, no other thread can be in it */
};

struct cure {
	enum cure_mode mode;
	uint64_t start, len; /* the scratch area; its first 32 bits: another thread is in it */
};

size_t arch_cave_size(void);
/* The first bytes of every cave. */
#define CAVE_SIGNATURE_LEN 16
void arch_cave_signature(char sign[CAVE_SIGNATURE_LEN]);
/* Fills @buf (arch_cave_size) with the code and the state that the cure restores. */
void arch_cave_fill(void *buf, const struct compel_regs *after, uint64_t mask);
/* The registers that the filled cave @cave (arch_cave_size) restores. */
void arch_cave_after(const void *cave, struct compel_regs *ret_regs);
/* Where in it the part begins that restores them, and needs no register. */
size_t arch_cave_restore_offset(void);
/* The kernel's signal frame (sigframe.c): its size without the FPU's state, and the offset of the return address in it. */
size_t arch_frame_size(void);
size_t arch_frame_ip_offset(void);
/*
 * Is @frame that of a handler which has interrupted a cave that restores @after, where signals are not blocked: at its end, or
 * at the stub, if the tracer died before it had blocked them or after it had unblocked them? The stack pointer is the thread's
 * own there. Then the handler returns to @after.
 */
bool arch_frame_skip_cave(void *frame, const struct compel_regs *after);
/* Sets registers that make the thread issue call @nr at the cave's stub @cave and then stop there. */
void arch_call_regs(struct compel_regs *regs, uint64_t cave, const struct cure *cure, long nr,
		    const unsigned long args[6]);
/* Sets registers of a thread that waits in the cave for its next call; if resumed, it runs the cure. */
void arch_park_regs(struct compel_regs *regs, uint64_t cave, const struct cure *cure);
long arch_call_value(const struct compel_regs *regs);
/* Is it in a stop for the stub's system call? */
bool arch_at_stub(const struct compel_regs *regs, uint64_t cave);

/* Code at the start of the scratch area: calls the blob's entry, then yields through the stub. */
size_t arch_gate_size(void);
const void *arch_gate_code(void);

struct gate_call {
	uint64_t gate, stack, entry, args, cave;
	unsigned int command;
	int yield_signal; /* sent to itself at the end; 0: none */
};
void arch_gate_regs(struct compel_regs *regs, const struct gate_call *call, const struct cure *cure);
long arch_gate_value(const struct compel_regs *regs);
