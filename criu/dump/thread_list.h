/* SPDX-License-Identifier: GPL-2.0-only */
/* Inside of dump/: the threads of one process that are held, and what becomes of them by an end or an exec. */
#pragma once
#include <stdbool.h>
#include <sys/types.h>

struct dump_task;
struct dump_thread;

int thread_list_add(struct dump_task *dt, pid_t tid);
/* The last one takes its place. */
void thread_list_drop(struct dump_task *dt, struct dump_thread *th);
/* Is the process a zombie or gone? dt->t.state is TASK_DEAD then. */
void thread_list_check_end(struct dump_task *dt);
/* Has it ended? That is taken then. Any wait for a traced thread takes stops as well, asked for or not: look first. */
bool thread_list_take_end(struct dump_thread *th);
/* The same for all; may run in a signal handler. */
void thread_list_take_ends(const struct dump_task *dt);
/* Those whose end was taken. How many. */
int thread_list_drop_ended(struct dump_task *dt);
/* One of them has executed a program and has the first thread's number now: what was known of that one is void. */
int thread_list_take_over(struct dump_task *dt);
