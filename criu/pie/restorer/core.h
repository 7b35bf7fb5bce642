/* SPDX-License-Identifier: GPL-2.0-only */
/* In pie/: no libc, no globals, direct system calls only. */
/* What makes an address space and its threads; the task kinds' parts are in restorer.h. */
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
/* Nothing of the memory can be changed afterwards. */
int layout_seal(struct wire_task *task);
/* The last of all: what is mapped afterwards is locked. */
int layout_lock_future(struct wire_task *task);
/* policy.c: before pages are read into the mapping */
int layout_policy(struct wire_task *task, const struct wire_vma *v);
/* placed.c: first of all mappings, while nothing but the reserved ranges is there */
int placed_map(struct wire_task *task);
/* aio.c: rings have been filled as they were, and get the numbers that they have now */
int aio_number(struct wire_task *task);
/* group.c: wait until every task of this memory has come to the @nr'th meeting. */
int group_meet(struct wire_task *task, uint32_t nr);
/* main.c: where the tool jumps to; @command is an enum restorer_command. */
unsigned long blob_entry(unsigned int command, void *args);
/* pages.c */
int pages_load(struct wire_task *task);
/* threads.c: every thread but the first exists afterwards, and waits. */
int threads_start(struct wire_task *task);
/* One of them, before its time. */
int thread_start(struct wire_thread *thread);
/* Let them set themselves up, and wait until all of them have. */
int threads_set_up(struct wire_task *task);
/* The task is ready: tell the tool, if it is the last one. */
void task_ready(struct wire_task *task);
/* It cannot be: tell the tool. */
void task_failed(struct wire_task *task, int err);
/* threads.c: tell the tool where it can send a thread of its own filters. */
void thread_name_entry(struct wire_thread *thread);
/* threads.c: wait for the tool. Returns only when it has died after the tree was complete. */
void thread_wait(struct wire_task *task);
/* ARCH/cpu.c: before any register that refers to it is set */
int arch_restore_memory(struct wire_task *task);
/* threads.c: the first thread does not go on, but ends when it is told to, by the tool or by another one that goes on. */
void thread_end(struct wire_thread *thread) __attribute__((noreturn));
/* ARCH/cpu.c: registers that a signal frame does not hold */
void arch_set_bases(const struct wire_thread *thread);
/* threads.c: go on without the tool's help: it died when the tree was complete. */
void thread_go_on(struct wire_thread *thread);
