/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * libcompel: stop the threads of a process, run code in them, put everything back.
 *
 * Errors are negative errno; nothing is printed. A target survives the death of its
 * tracer at any instant: whatever is injected undoes itself when nobody traces it
 * (see src/call.c). See ptrace(2), vdso(7).
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <compel/regs.h> /* struct compel_regs (general registers), from arch/ */

/* ---- Stopping and resuming ---------------------------------------------------------- */

enum compel_state {
	COMPEL_RUNNING, /* not stopped by us */
	COMPEL_TRAPPED, /* in a ptrace stop, was running or sleeping before */
	COMPEL_STOPPED, /* in a ptrace stop, was in a group stop (SIGSTOP and friends) before */
	COMPEL_DEAD, /* a zombie, or gone */
};

struct compel_stop {
	enum compel_state state;
	int stop_signal; /* STOPPED: the signal that stopped the group */
	int zombie; /* DEAD: 1 when it is a zombie whose parent has not waited */
	/* What was done to the call that the stop interrupted, for compel_detach: */
	bool reissued; /* it was set up to be issued again, as the kernel would not have done */
	long call; /* its number */
	uint64_t rest_at, since_ns; /* what is left of its time lies in memory, as of then (CLOCK_MONOTONIC) */
	bool rest_in_us; /* a struct timeval, not a struct timespec */
};

/*
 * PTRACE_SEIZE + PTRACE_INTERRUPT @tid without waiting, so that many can be stopped in
 * one batch. @suspend_seccomp asks for PTRACE_O_SUSPEND_SECCOMP; who may not (it takes
 * CAP_SYS_ADMIN) seizes without, and compel_open refuses a target under seccomp then.
 * -ESRCH when it is gone or a zombie, -EPERM when we may not, -EBUSY when somebody traces it (we ourselves, maybe).
 *
 * A thread that executes a program while it is not its process's first one gets the number of that one; all others end.
 * If that happens during the call it is -ESTALE: the thread is seized, was told nothing, and has the process's number.
 * (Or, if @tid is the process's: who has that number now is not seized.) If it happens later, a wait for the old number
 * is -ECHILD, and the thread stops under its new one. PTRACE_SEIZE waits, whatever signal comes, for as long as any thread
 * of the process executes a program; and that waits until the ends of all others have been waited for by their tracer.
 */
int compel_seize(pid_t tid, bool suspend_seccomp);
/* Ask one that is seized already for its stop (again). -ESRCH: we have not seized who has that number. */
int compel_interrupt(pid_t tid);
/* Who has this number now is seized, in the stop that was asked for, and a wait has told so. */
bool compel_at_rest(pid_t tid);
/*
 * Wait for the stop that compel_seize asked for. Signals that arrive meanwhile are kept for the target, never lost.
 *
 * The system call that the stop interrupts goes on unnoticed, and waits no longer than it would have: the kernel or we
 * give it the rest of its time. Where nobody knows the rest (epoll_wait, semtimedop, SO_RCVTIMEO, ...) it returns EINTR,
 * as signal(7) says it does after any stop. What the thread's own seccomp filters do not let pass is not made in it: a
 * call that restart_syscall(2) would continue is issued again if it has no limit, and else returns EINTR.
 * -ETIMEDOUT after ten seconds: it is in a call that cannot be interrupted, such as vfork.
 */
int compel_wait_stop(pid_t tid, struct compel_stop *ret_stop);
/* The same with another bound. */
int compel_wait_stop_for(pid_t tid, unsigned int timeout_ms, struct compel_stop *ret_stop);
/* The same, without a limit, for a thread in code of our own, which issues its call again whatever that returns. */
int compel_wait_own_stop(pid_t tid, struct compel_stop *ret_stop);
/* Let a stopped thread go on as before (STOPPED goes back to its group stop). Undoes PTRACE_SEIZE. */
int compel_detach(pid_t tid, const struct compel_stop *stop);
/*
 * Stop a process (all its @tids are stopped by us, the leader first) as SIGSTOP does, without a step in user mode and
 * with every pending signal left pending. Detach its threads as COMPEL_STOPPED: they stay so. @sig is what its parent
 * is told: SIGSTOP, or one of SIGTSTP, SIGTTIN and SIGTTOU for a process whose group is not orphaned.
 */
int compel_group_stop(const pid_t *tids, size_t nr_tids, int sig);
/*
 * From here on the process of the stopped thread @tid dies with us. Opening a compel_ctl in this thread takes it back, so do
 * this afterwards.
 */
int compel_die_with_us(pid_t tid);
/* Kill a whole seized process and wait for every one of its threads, so that the leader can be reaped. */
int compel_kill(pid_t pid, const pid_t *tids, size_t nr_tids);

/* ---- Reading a stopped thread ------------------------------------------------------- */

/*
 * Everything the CPU holds for a stopped thread, as it will be when it goes on. A system
 * call that the stop interrupted is adjusted so that running @regs restarts it, and a
 * thread caught in an rseq critical section stands at its abort address.
 */
struct compel_thread_state {
	struct compel_regs regs;
	uint64_t sigmask;
	void *xsave; /* NT_X86_XSTATE as the kernel gave it; owned, free with compel_thread_state_clear */
	size_t xsave_len;
	bool rseq_aborted; /* taken out of a critical section: the rseq_cs pointer (offset 8 of struct rseq) is void */
};
/* What /proc/TID/status and stat say of a stopped thread, for those who have read them anyway. */
struct compel_status {
	uint64_t pending; /* signals of the thread and of its process */
	uint64_t ignored, caught;
	int seccomp; /* 0 none, 1 strict, 2 filter */
	int cpu; /* it ran on last; negative: unknown */
};

/*
 * A stopped thread as compel_inspect() found it. It stays true for as long as the thread is neither run (no call or command
 * of a compel_ctl in it) nor detached.
 */
struct compel_snapshot {
	struct compel_regs regs; /* as the stop found them */
	uint64_t sigmask;
	struct compel_status status;
	uint64_t rseq; /* PTRACE_GET_RSEQ_CONFIGURATION; 0: none */
	uint32_t rseq_size, rseq_signature;
	uint64_t rseq_abort; /* it is in a critical section that goes on here; 0: in none */
	long continues; /* the call that restart_syscall(2) goes on with, for who has found out; 0: not known */
};
/* @status is read from /proc if NULL. -EAGAIN while a dead tracer's cure runs in the thread. */
int compel_inspect(pid_t tid, const struct compel_status *status, struct compel_snapshot *ret_snapshot);

/*
 * For the thread to go on in its own process: sleeps that the kernel restarts with what
 * is left of their time (restart_syscall) do so. -EAGAIN while a dead tracer's cure runs in it.
 */
int compel_get_state(pid_t tid, struct compel_thread_state *ret_state);
/*
 * As @snapshot, for another process to go on with: there the kernel knows nothing of what is left, and a call that it would
 * continue is issued again (see compel_restarts_full_timeout). EINTR if it is not known which call that was; also if a signal
 * with a handler is pending, as such calls do.
 */
int compel_snapshot_for_image(pid_t tid, const struct compel_snapshot *snapshot, struct compel_thread_state *ret_state);
/* Where it goes on; false: in code of another sort than ours (32-bit). */
bool compel_where(const struct compel_snapshot *snapshot, uint64_t *ret_ip);
/*
 * Calls with a limit to their time: poll(2), nanosleep(2), clock_nanosleep(2), FUTEX_WAIT. The kernel remembers what is
 * left of it when a stop interrupts them (true: so it is), and nobody else: with @args, what the call's registers hold,
 * it may be found in its restart block.
 */
bool compel_is_continued(const struct compel_snapshot *snapshot, unsigned long args[6]);
/* Would the thread, in another process, wait for the whole time of such a call again? */
bool compel_restarts_full_timeout(const struct compel_snapshot *snapshot, const struct compel_thread_state *for_image);
/* What is left, where the program has told the kernel to write that (nanosleep(2)). -ENODATA: it has not. */
int compel_call_rest(pid_t tid, const struct compel_thread_state *for_image, uint64_t *ret_left_ns);
/* @state stands before such a call: have it return EINTR instead. Its number, or -EINVAL if it is none. */
int compel_give_up_call(struct compel_thread_state *state);
/*
 * The stopped thread @tid is about to return EINTR from call @nr, by compel_give_up_call. Have it wait for @left_ns
 * instead, as if it had been stopped inside. Its registers stay those of the program. Right before compel_detach: any other
 * call in the thread would take the time's place. Where that cannot be done it still returns EINTR: -EAGAIN; -EPERM if its
 * filters do not let restart_syscall(2) pass. -ESRCH: it died of a signal.
 */
int compel_shorten_call(pid_t tid, int nr, uint64_t left_ns);
/* Do the stopped thread's own seccomp filters let call @nr pass, whatever its arguments? Not if that cannot be told. */
bool compel_may_call(pid_t tid, long nr);
/*
 * Have the stopped thread @tid run @function(@arg) when it goes on, on its own stack and with the segment bases of @bases.
 * That has to end in rt_sigreturn(2) or in its end.
 */
int compel_send_to(pid_t tid, uint64_t function, uint64_t arg, const struct compel_regs *bases);
void compel_thread_state_clear(struct compel_thread_state *state);
/* Make a stopped thread have exactly @state (registers, FPU if xsave is not NULL, mask). Used by restore. */
int compel_set_state(pid_t tid, const struct compel_thread_state *state);

/* ---- Running code in a stopped thread ----------------------------------------------- */

struct compel_ctl; /* one address space that we run code in */

/*
 * Ready the address space of the stopped thread @tid (seized, its process's leader or any
 * thread of it). Nothing is changed in the target before the first call.
 * If a tracer that died left something in it, that is let run out first; -EAGAIN when it does not.
 * -ENOEXEC: no safe place was found, or it is no code for us (32-bit). -EPERM: seccomp.
 * All threads that share it have to be stopped, and one compel_ctl at a time.
 *
 * What killing us cannot undo: while our code is in a thread under seccomp its filters are suspended, and the suspension
 * ends with us. Then they judge the call that is just being made, those of a command that runs, and rt_sigprocmask, munmap
 * and (with other threads) futex of the cure. Before compel_open and after compel_cure nothing but what the thread's filters
 * let pass is left to do.
 */
int compel_open(pid_t tid, struct compel_ctl **ret_ctl);
/*
 * Both halves of compel_open, for those who look at the thread themselves in between: after the first nothing of a
 * tracer that died is left in any thread, the second says that the thread can be used.
 */
int compel_open_begin(pid_t tid, struct compel_ctl **ret_ctl);
int compel_open_finish(struct compel_ctl *ctl, const struct compel_snapshot *snapshot);
/* What a restored thread is to unmap: the memory that it has been running in. */
struct compel_region {
	uint64_t start, len;
	uint64_t vdso; /* where its process, which we forked, has the code of our vDSO now; 0: not known */
};
/*
 * The last step of a restore: have the stopped thread @tid, all of whose signals are blocked, unmap @region and stand at
 * @after, which stays where it is until the end. If we die in between it does so by itself. In three steps, so that many can
 * do it at the same time: the thread runs between them. It is still stopped in the end; detach it. *ret_finish may be
 * NULL, which the other two take: then all has been done, or the first step has failed. The last one tells how it went.
 */
struct compel_finish;
int compel_finish_begin(pid_t tid, const struct compel_thread_state *after, const struct compel_region *region,
			struct compel_finish **ret_finish);
void compel_finish_go_on(struct compel_finish *finish);
int compel_finish_end(struct compel_finish *finish);
/* A text that says why the last call on @ctl (or compel_open, with NULL) failed; never NULL. */
const char *compel_error(const struct compel_ctl *ctl);

/* Run one system call in the thread. @ret_value gets what the kernel returned (negative errno on failure). The
 * return value tells whether it could be run at all. Must not be used for calls that do not return (exit) or that
 * block. Kill-safe. */
int compel_syscall(struct compel_ctl *ctl, long nr, const unsigned long args[6], long *ret_value);
/* The same in another stopped thread of the same address space, which is put back at once. */
int compel_thread_syscall(struct compel_ctl *ctl, pid_t tid, long nr, const unsigned long args[6], long *ret_value);

/* A blob that `compel pack` made. */
struct compel_blob {
	const void *bytes;
	size_t size; /* with bss */
	size_t file_size; /* bytes present; the rest is zero */
	size_t rw_start; /* what is written to starts here, at a page boundary; = size when there is none */
	size_t entry; /* offset of the entry point: unsigned long entry(unsigned command, void *args) */
	size_t align;
};

/*
 * Map @blob and @args_size bytes for arguments into the target. Kill-safe: the mapping goes away with a dead tracer.
 */
int compel_infect(struct compel_ctl *ctl, const struct compel_blob *blob, size_t args_size);
/* Where the arguments lie in the target, and access to them from here (process_vm_*). */
uint64_t compel_args_address(const struct compel_ctl *ctl);
int compel_args_write(struct compel_ctl *ctl, size_t offset, const void *data, size_t len);
int compel_args_read(struct compel_ctl *ctl, size_t offset, void *data, size_t len);
/* Run the blob's entry with @command in the thread that compel_open named; its return value in @ret_value. */
int compel_command(struct compel_ctl *ctl, unsigned command, long *ret_value);
/*
 * The same; @meanwhile(@arg) is called once the thread runs, for a command that waits for something that we have to do.
 * -EOPNOTSUPP, and nothing is run, where every system call of the command would stop for us first.
 */
int compel_command_with(struct compel_ctl *ctl, unsigned command, void (*meanwhile)(void *arg), void *arg,
			long *ret_value);
/*
 * The same in another stopped thread @tid of the address space, on a stack inside the blob's mapping; that thread is put
 * back at once. @snapshot: what is true of it still, or NULL. In many threads it is fastest in the order of their CPUs.
 */
int compel_thread_command(struct compel_ctl *ctl, pid_t tid, const struct compel_snapshot *snapshot, unsigned command,
			  long *ret_value);

/* Take everything out again; the thread has its own registers and mask, and is still stopped. Frees @ctl. NULL is fine. */
int compel_cure(struct compel_ctl *ctl);

static inline void compel_cleanup_cure(struct compel_ctl **ctl)
{
	compel_cure(*ctl);
}
#define _cleanup_cure_ __attribute__((cleanup(compel_cleanup_cure)))
