/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The steps that turn a process with its memory in place into the task that was dumped. Rules for code in pie/: no
 * libc, no globals, direct system calls only. Every signal is blocked from before the first step to the end. Each
 * function returns 0, or a negative errno that it has logged.
 *
 * main.c calls these five, in this order; the steps in each of them, and the reasons for their order, are below.
 */
#pragma once
#include "pie/wire.h"

/* 1. The leader, with the memory laid out, before other threads exist. */
int restorer_task_alone(struct wire_task *task);
/* 2. The leader, when every thread exists, and all have their initial credentials. */
int restorer_task_shared(struct wire_task *task);
/* 3. Every thread for itself, including the leader (after 2). */
int restorer_thread(struct wire_thread *thread);
/* 4. The leader, when every thread has finished 3. Then the task is READY: it waits for the others of the tree. */
int restorer_task_late(struct wire_task *task);
/*
 * 5. Every thread for itself, the very last step before it gets its registers. With a tracer that has set
 * PTRACE_O_SUSPEND_SECCOMP, the filters are suspended until it detaches; otherwise they are in force for everything
 * that follows, at least rt_sigreturn.
 */
int restorer_thread_last(struct wire_thread *thread);

/* ---- the steps inside ---- */

/* 1: registering for membarrier waits for all CPUs once there are more threads */
int restore_membarrier(struct wire_task *task);
/* 1: before any signal is queued: setting a handler to "ignore" would drop pending ones */
int restore_sigactions(struct wire_task *task);
/* 1 */
int restore_subreaper(struct wire_task *task);
/* 1: SELinux lets only a process with one thread change its context; others inherit it */
int restore_label(struct wire_task *task);

/* before 1, for pages that are about to be read, and 3: each thread has its own */
int restore_policy(struct wire_thread *thread);

/* 2: timers may signal a thread, which must exist; alarm clocks need CAP_WAKE_ALARM, which creds may drop */
int restore_timers_create(struct wire_task *task);

/* 3, in this order. First those that need capabilities: */
int restore_personality(struct wire_thread *thread);
int restore_name(struct wire_thread *thread);
int arch_restore_early(struct wire_thread *thread); /* ARCH/cpu.c: such as TLS entries */
int restore_sched(struct wire_thread *thread); /* CPUs, nice, policy, I/O priority, then timer slack: RT has none */
int restore_controls(struct wire_thread *thread); /* I/O flusher, machine checks, speculation */
/* then the credentials themselves, */
int restore_creds(struct wire_thread *thread); /* with the profile of AppArmor */
/* then what a change of credentials resets, */
int restore_pdeath(struct wire_thread *thread);
/* and the thread's own state: */
int restore_private_signals(struct wire_thread *thread);
int restore_altstack(struct wire_thread *thread);
int restore_futexes(struct wire_thread *thread); /* robust list, clear_child_tid */
int restore_rseq(struct wire_thread *thread);
int arch_restore_late(struct wire_thread *thread); /* ARCH/cpu.c: instructions that raise SIGSEGV from here on */

/* 4: a thread's change of credentials resets dumpable; MDWE would prevent laying out memory */
int restore_mm_attributes(struct wire_task *task);
/* 4: queued before limits, of which SIGPENDING is one; by the leader: only it may send signals of the kernel */
int restore_shared_signals(struct wire_task *task);
/* 4: as late as possible: they run from here on */
int restore_timers_arm(struct wire_task *task);
/* 4: the last of all: NPROC, NOFILE, SIGPENDING, MEMLOCK, AS, FSIZE could make any earlier step fail */
int restore_limits(struct wire_task *task);

/* 5: needs no_new_privs or CAP_SYS_ADMIN, which restore_creds has kept if necessary */
int seccomp_install(struct wire_thread *thread);
/* 5: drops that. Usually there is nothing to do */
int restore_creds_finish(struct wire_thread *thread);

/* The first failure is reported by the tool; others: "pid 42: WHAT: errno 1" to task->log_fd. Returns @err. */
int restorer_fail(const struct wire_task *task, long err, const char *what);
/* The same with a number after @what: a signal, a timer, a limit; a large one, which is an address, in hex. */
int restorer_fail_nr(const struct wire_task *task, long err, const char *what, long nr);

static inline struct wire_task *task_of(const struct wire_thread *thread)
{
	return (struct wire_task *)thread->task;
}

/* Errors that code here checks for: errno.h belongs to libc. */
enum { E_PERM = 1, E_AGAIN = 11, E_INVAL = 22, E_RANGE = 34, E_OVERFLOW = 75 };
