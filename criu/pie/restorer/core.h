/* SPDX-License-Identifier: GPL-2.0-only */
/* In pie/: no libc, no globals, direct system calls only. */
/* Creates an address space and its threads; the parts of the task kinds are in restorer.h. */
#pragma once
#include "base/bits.h"
#include "pie/restorer/restorer.h"
#include "pie/wire.h"

#define restorer_fail_at(task, err, what, where) restorer_fail_nr((task), (int)(err), (what), (long)(where))

/* layout.c */
int layout_unmap(struct wire_task *task);
int layout_map(struct wire_task *task);
int layout_finish(struct wire_task *task);
int layout_marks(struct wire_task *task);
/* The memory cannot be changed afterwards. */
int layout_seal(struct wire_task *task);
/* The last step: later mappings are locked. */
int layout_lock_future(struct wire_task *task);
/* policy.c: before pages are read into the mapping */
int layout_policy(struct wire_task *task, const struct wire_vma *v);
/* placed.c: the first mappings, while there is nothing but the reserved ranges */
int placed_map(struct wire_task *task);
/* aio.c: restored rings get the ids of their new contexts */
int aio_number(struct wire_task *task);
/* group.c: waits until every task of this memory has reached the @nr'th meeting. */
int group_meet(struct wire_task *task, uint32_t nr);
/* lazy.c: the last step that changes mappings, but for sealing */
int lazy_register(struct wire_task *task);
/* pages.c */
int pages_load(struct wire_task *task);
/* threads.c: creates all threads but the first; they wait. */
int threads_start(struct wire_task *task);
/* Creates one of them early. */
int thread_start(struct wire_thread *thread);
struct clone_args;
/* clone.c: a millisecond. */
void thread_pause(void);
/* clone.c: creates it; while a limit does not permit that, it is tried again for some time. */
long thread_clone(struct wire_thread *thread, struct clone_args *args, int (*fn)(void *thread));
/* turns.c: creates one that has numbers which its process may not choose; @args: with all of its numbers. It runs @fn(@thread). */
int turn_start(struct wire_thread *thread, struct clone_args *args, int (*fn)(void *thread));
/* In that thread, first of all: does it stay? */
bool turn_await_result(struct wire_thread *thread);
/* Lets them set themselves up, and waits until all of them have. */
int threads_set_up(struct wire_task *task);
/* The task is ready: wakes the tool if it is the last one. */
void task_ready(struct wire_task *task);
/* The task has failed: wakes the tool. */
void task_failed(struct wire_task *task, int err);
/* threads.c: stores the address at which the tool makes a thread with filters continue. */
void thread_name_entry(struct wire_thread *thread);
/* threads.c: waits for the tool. Returns only if it has died after the tree was complete. */
void thread_wait(struct wire_task *task);
/* ARCH/cpu.c: before any register that refers to it is set */
int arch_restore_memory(struct wire_task *task);
/*
 * threads.c: the first thread does not continue, but exits on request by the tool, or by another thread that continues.
 */
void thread_end(struct wire_thread *thread) __attribute__((noreturn));
/* ARCH/cpu.c: registers that are not in a signal frame */
void arch_set_bases(const struct wire_thread *thread);
/* threads.c: continues without the tool, which died when the tree was complete. */
void thread_go_on(struct wire_thread *thread);
