/* SPDX-License-Identifier: GPL-2.0-only */
/* Internal to dump/: the traced threads of one process, and how exits and execs change the list. */
#pragma once
#include <stdbool.h>
#include <sys/types.h>

struct dump_task;
struct dump_thread;

int thread_list_add(struct dump_task *dt, pid_t tid);
/* The last one moves into its slot. */
void thread_list_drop(struct dump_task *dt, struct dump_thread *th);
/* Is the process a zombie or gone? dt->t.state is TASK_DEAD then. */
void thread_list_check_end(struct dump_task *dt);
/*
 * Has it exited? Consumes the exit. Any wait for a traced thread consumes stops as well, whatever it asks for: check
 * first.
 */
bool thread_list_take_end(struct dump_thread *th);
/* The same for all threads; may run in a signal handler. */
void thread_list_take_ends(const struct dump_task *dt);
/* Drops those whose exit has been consumed; returns how many. */
int thread_list_drop_ended(struct dump_task *dt);
/* One of them has called execve(2), and has the tid of the first thread now: what was known of that one is void. */
int thread_list_take_over(struct dump_task *dt);
