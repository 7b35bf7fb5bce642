/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * libcompel: stops the threads of a process, runs code in them, and restores everything. All functions run in the tracer.
 *
 * Errors are negative errnos; nothing is printed. A target survives the death of its tracer at any instant: whatever is
 * injected undoes itself when it is not traced any more (see src/call.c). See ptrace(2), vdso(7).
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
	bool foreign; /* TRAPPED, STOPPED: it runs code of a mode that this program was not built for (32-bit) */
	int zombie; /* DEAD: 1 if it is a zombie whose parent has not waited for it */
	/* Of the call that the stop interrupted, for compel_detach: */
	uint64_t rest_at, since_ns; /* address of its remaining time, valid at that instant (CLOCK_MONOTONIC) */
	bool rest_in_us; /* a struct timeval, not a struct timespec */
};

/*
 * PTRACE_SEIZE + PTRACE_INTERRUPT @tid without waiting, so that many can be stopped in one batch. @suspend_seccomp
 * requests PTRACE_O_SUSPEND_SECCOMP; without permission (CAP_SYS_ADMIN) it seizes without it, and compel_open fails for
 * a target under seccomp then. -ESRCH if it has exited or is a zombie, -EPERM if not permitted, -EBUSY if it is traced
 * already (maybe by us).
 *
 * A thread other than the first one that calls execve(2) gets the tid of the first one; all others exit. If that
 * happens during the call, it returns -ESTALE: the thread is seized, without an interrupt, and has the process's pid.
 * (Or, if @tid is the process's pid: the thread that has it now is not seized.) If it happens later, waiting for the
 * old tid gives -ECHILD, and the thread stops under its new one. PTRACE_SEIZE blocks uninterruptibly while any thread
 * of the process is in execve(2); and that waits until all other threads have been reaped by their tracer.
 */
int compel_seize(pid_t tid, bool suspend_seccomp);
/* Interrupts a seized thread (again). -ESRCH: the thread with that tid is not seized by us. */
int compel_interrupt(pid_t tid);
/* Is the thread with this tid seized, and in the requested stop, which has been waited for? */
bool compel_at_rest(pid_t tid);
/*
 * Waits for the stop requested by compel_seize. Signals that arrive meanwhile stay pending for the target, and are
 * never lost.
 *
 * The interrupted system call continues unnoticed, and waits no longer than it would have: it gets the rest of its
 * time, from the kernel or from us. Where the rest is unknown (epoll_wait, semtimedop, SO_RCVTIMEO, ...) it returns
 * EINTR, as signal(7) documents for any stop. Calls that the thread's own seccomp filters deny are not made in it: a
 * call that restart_syscall(2) would continue is restarted if it has no timeout, and otherwise returns EINTR.
 * -ETIMEDOUT after ten seconds: it is in a call that cannot be interrupted, such as vfork.
 */
int compel_wait_stop(pid_t tid, struct compel_stop *ret_stop);
/* The same with another timeout. */
int compel_wait_stop_for(pid_t tid, unsigned int timeout_ms, struct compel_stop *ret_stop);
/*
 * The same for a thread in our own code, which restarts its call whatever it returns. There is no time limit as long as it
 * makes progress; -ETIMEDOUT if it has not for ten seconds. The same applies to calls and commands that run in a thread:
 * others may have changed what it does (src/wait.c).
 */
int compel_wait_own_stop(pid_t tid, struct compel_stop *ret_stop);
/*
 * The same for a first thread whose other threads we trace: if it ends before them, which no wait reports, its state is
 * COMPEL_DEAD. -ETIMEDOUT after ten seconds.
 */
int compel_wait_leader_stop(pid_t tid, struct compel_stop *ret_stop);
/* Resumes a stopped thread as before (STOPPED returns to its group stop). Undoes PTRACE_SEIZE. */
int compel_detach(pid_t tid, const struct compel_stop *stop);
/*
 * Puts a process (all its @tids are stopped by us, the leader first) into a group stop as SIGSTOP does, without
 * executing an instruction in user mode and with all pending signals left pending. Detach its threads as
 * COMPEL_STOPPED: they remain stopped. @sig is reported to its parent: SIGSTOP, or one of SIGTSTP, SIGTTIN and SIGTTOU
 * for a process whose group is not orphaned.
 */
int compel_group_stop(const pid_t *tids, size_t nr_tids, int sig);
/*
 * From here on the process of the stopped thread @tid is killed if we die. Opening a compel_ctl in this thread undoes
 * it, so call this afterwards.
 */
int compel_die_with_us(pid_t tid);
/* Kills a seized process and waits for all of its threads, so that the leader can be reaped. */
int compel_kill(pid_t pid, const pid_t *tids, size_t nr_tids);

/* ---- Reading a stopped thread ------------------------------------------------------- */

/*
 * An interrupted system call. When the thread is resumed the kernel restarts it, or it returns EINTR if a signal is
 * handled first: which signals are pending is only known then.
 */
struct compel_restart {
	long call; /* its number */
	int code; /* the kernel's internal error code ERESTARTSYS (512), ERESTARTNOINTR or ERESTARTNOHAND; 0: no such call */
	bool unsure; /* only if the thread's next instruction is a system call */
};
#define COMPEL_NO_RESTART ((struct compel_restart){ 0 })

/*
 * The CPU state of a stopped thread, as it will be when it is resumed. For a system call that the stop interrupted,
 * running @regs restarts it, and a thread in an rseq critical section is at its abort address.
 */
struct compel_thread_state {
	struct compel_regs regs;
	struct compel_restart restart; /* how compel_set_state and compel_finish_end have the kernel end that call */
	uint64_t sigmask;
	void *xsave; /* NT_X86_XSTATE as returned by the kernel; owned, free with compel_thread_state_clear */
	size_t xsave_len;
	bool rseq_aborted; /* critical section aborted: the rseq_cs pointer (offset 8 of struct rseq) is to be cleared */
};
/* Values from /proc/TID/status and stat of a stopped thread, for callers that have read them anyway. */
struct compel_status {
	uint64_t pending; /* signals of the thread and of its process */
	uint64_t ignored, caught;
	int seccomp; /* 0 none, 1 strict, 2 filter */
	int cpu; /* it ran on last; negative: unknown */
};

/*
 * State of a stopped thread, from compel_inspect(). Valid until the thread is run (by a call or command of a
 * compel_ctl) or detached.
 */
struct compel_snapshot {
	struct compel_regs regs; /* at the stop */
	uint64_t sigmask;
	struct compel_status status;
	uint64_t rseq; /* PTRACE_GET_RSEQ_CONFIGURATION; 0: none */
	uint32_t rseq_size, rseq_signature;
	uint64_t rseq_abort; /* abort address of its critical section; 0: in none */
	long continues; /* the call that restart_syscall(2) continues, filled in by the caller; 0: unknown */
};
/* @status is read from /proc if NULL. -EAGAIN while a dead tracer's cure runs in the thread. */
int compel_inspect(pid_t tid, const struct compel_status *status, struct compel_snapshot *ret_snapshot);

/*
 * State for continuing in its own process: sleeps that the kernel restarts with the rest of their time
 * (restart_syscall) do so. -EAGAIN while a dead tracer's cure runs in it.
 */
int compel_get_state(pid_t tid, struct compel_thread_state *ret_state);
/*
 * State for continuing in another process: there the kernel does not have the remaining time, and a call that it would
 * continue is restarted (see compel_restarts_full_timeout). EINTR if the call is unknown, or if a signal with a handler
 * is pending, as the kernel does for such calls.
 */
int compel_snapshot_for_image(pid_t tid, const struct compel_snapshot *snapshot, struct compel_thread_state *ret_state);
/* The address at which it continues; false: it runs 32-bit code. */
bool compel_where(const struct compel_snapshot *snapshot, uint64_t *ret_ip);
/*
 * Is it in a call with a timeout that the kernel continues: poll(2), nanosleep(2), clock_nanosleep(2), FUTEX_WAIT? Only
 * the kernel has the remaining time: with @args, the call's registers, it can be found in its restart block.
 */
bool compel_is_continued(const struct compel_snapshot *snapshot, unsigned long args[6]);
/* Would the thread, in another process, wait for the full timeout of such a call again? */
bool compel_restarts_full_timeout(const struct compel_snapshot *snapshot, const struct compel_thread_state *for_image);
/* The remaining time, if the program has passed the kernel a buffer for it (nanosleep(2)). -ENODATA: it has not. */
int compel_call_rest(pid_t tid, const struct compel_thread_state *for_image, uint64_t *ret_left_ns);
/*
 * @state is about to restart such a call: makes it return EINTR instead. Returns its number, or -EINVAL if there is
 * none.
 */
int compel_give_up_call(struct compel_thread_state *state);
/*
 * The stopped thread @tid is about to return EINTR from call @nr, by compel_give_up_call. Makes it wait for @left_ns
 * instead, as if it had been stopped in the call. Its registers remain those of the program. Call right before
 * compel_detach: any other call in the thread would overwrite the restart block. If it is not possible the call still
 * returns EINTR: -EAGAIN; -EPERM if its filters deny restart_syscall(2). -ESRCH: it was killed by a signal.
 */
int compel_shorten_call(pid_t tid, int nr, uint64_t left_ns);
/* Do the stopped thread's own seccomp filters allow call @nr with any arguments? False if unknown. */
bool compel_may_call(pid_t tid, long nr);
/*
 * Makes the stopped thread @tid run @function(@arg) when it is resumed, on its own stack and with the segment bases of
 * @bases. The function must end with rt_sigreturn(2) or exit.
 */
int compel_send_to(pid_t tid, uint64_t function, uint64_t arg, const struct compel_regs *bases);
/*
 * For states read from an image: sets @state->restart, if its registers are those of a thread in such a call. -EINVAL:
 * they are not.
 */
int compel_set_restart(struct compel_thread_state *state, long call, int code);
/* The same if only the number of the call is known, and not whether it was interrupted: by its usual code. */
void compel_guess_restart(struct compel_thread_state *state, long call);
void compel_thread_state_clear(struct compel_thread_state *state);
/* Sets the state of a stopped thread (registers, FPU if xsave is not NULL, signal mask). Used by restore. */
int compel_set_state(pid_t tid, const struct compel_thread_state *state);

/* ---- Running code in a stopped thread ----------------------------------------------- */

struct compel_ctl; /* one address space that we run code in */

/*
 * Prepares the address space of the stopped thread @tid (seized, the leader or any thread of its process). Nothing is
 * changed in the target before the first call. What a dead tracer left in it is run to completion first; -EAGAIN if
 * that fails. -ENOEXEC: no safe place was found, or unsupported code (32-bit). -EPERM: seccomp. All threads that share
 * it must be stopped, and there can be only one compel_ctl at a time.
 *
 * Not covered if we are killed: while our code is in a thread under seccomp its filters are suspended, and the
 * suspension ends when we die. Then they apply to the call being made, to those of a running command, and to
 * rt_sigprocmask, munmap and (with other threads) futex of the cure. Before compel_open and after compel_cure only
 * calls that the thread's filters allow remain to be made.
 */
int compel_open(pid_t tid, struct compel_ctl **ret_ctl);
/*
 * The two halves of compel_open, for callers that inspect the thread in between: after the first nothing of a dead
 * tracer is left in any thread, the second checks that the thread can be used.
 */
int compel_open_begin(pid_t tid, struct compel_ctl **ret_ctl);
int compel_open_finish(struct compel_ctl *ctl, const struct compel_snapshot *snapshot);
/* What a restored thread is to unmap: the memory that it has been running in. */
struct compel_region {
	uint64_t start, len;
	uint64_t vdso; /* where its process, which we forked, has the code of our vDSO now; 0: not known */
};
/*
 * The last step of a restore: makes the stopped thread @tid, which has all signals blocked, unmap @region, and sets its
 * state to @after, which must stay valid until the end. If we die in between it does so by itself. In three steps, so
 * that many can do it in parallel: the thread runs between them. It is still stopped in the end; detach it. *ret_finish
 * may be NULL, which the other two accept: then everything is done, or the first step has failed. The last one returns
 * the result.
 */
struct compel_finish;
int compel_finish_begin(pid_t tid, const struct compel_thread_state *after, const struct compel_region *region,
			struct compel_finish **ret_finish);
void compel_finish_continue(struct compel_finish *finish);
int compel_finish_end(struct compel_finish *finish);
/* The error text of the last failed call on @ctl (or of compel_open, with NULL); never NULL. */
const char *compel_error(const struct compel_ctl *ctl);

/*
 * Runs one system call in the thread. @ret_value: the kernel's return value (negative errno on failure). Returns an
 * error if it could not be run at all. Must not be used for calls that do not return (exit) or that block. Safe against
 * being killed.
 */
int compel_syscall(struct compel_ctl *ctl, long nr, const unsigned long args[6], long *ret_value);
/* The same in another stopped thread of the same address space, which is restored at once. */
int compel_thread_syscall(struct compel_ctl *ctl, pid_t tid, long nr, const unsigned long args[6], long *ret_value);

/* A blob created by `compel pack`. */
struct compel_blob {
	const void *bytes;
	size_t size; /* with bss */
	size_t file_size; /* bytes stored; the rest is zero */
	size_t rw_start; /* start of writable data, at a page boundary; = size if there is none */
	size_t entry; /* offset of the entry point: unsigned long entry(unsigned command, void *args) */
	size_t align;
};

/*
 * Maps @blob and @args_size bytes for arguments into the target. Safe against being killed: the target unmaps it if the
 * tracer dies.
 */
int compel_infect(struct compel_ctl *ctl, const struct compel_blob *blob, size_t args_size);
/* The address of the arguments in the target, and access to them from the tracer (process_vm_*). */
uint64_t compel_args_address(const struct compel_ctl *ctl);
int compel_args_write(struct compel_ctl *ctl, size_t offset, const void *data, size_t len);
int compel_args_read(struct compel_ctl *ctl, size_t offset, void *data, size_t len);
/* Runs the blob's entry with @command in the thread of compel_open; @ret_value: its return value. */
int compel_command(struct compel_ctl *ctl, unsigned command, long *ret_value);
/*
 * The same; @meanwhile(@arg) is called once the thread runs, for a command that waits for an action of ours.
 * -EOPNOTSUPP, and nothing is run, if every system call of the command would stop for us first.
 */
int compel_command_with(struct compel_ctl *ctl, unsigned command, void (*meanwhile)(void *arg), void *arg,
			long *ret_value);
/*
 * The same in another stopped thread @tid of the address space, on a stack in the blob's mapping; that thread is
 * restored at once. @snapshot: its valid snapshot, or NULL. For many threads it is fastest in the order of their CPUs.
 */
int compel_thread_command(struct compel_ctl *ctl, pid_t tid, const struct compel_snapshot *snapshot, unsigned command,
			  long *ret_value);

/*
 * Removes everything again; the thread has its own registers and mask, and is still stopped. Frees @ctl. NULL is
 * allowed.
 */
int compel_cure(struct compel_ctl *ctl);

static inline void compel_cleanup_cure(struct compel_ctl **ctl)
{
	compel_cure(*ctl);
}
#define _cleanup_cure_ __attribute__((cleanup(compel_cleanup_cure)))
