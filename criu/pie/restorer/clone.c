/* SPDX-License-Identifier: GPL-2.0-only */
/* In pie/: no libc, no globals, direct system calls only. */
/* Creates a thread where a limit may not permit it yet. */
#include <asm-generic/errno-base.h>
#include <compel/pie.h>
#include <linux/sched.h>
#include <stdatomic.h>
#include "pie/restorer/core.h"

/* Tries, each after a millisecond: while others help to restore memory, and without any. */
#define PATIENCE 60000
#define TRIES_ALONE 100

void thread_pause(void)
{
	static const struct {
		int64_t sec, nsec;
	} step = { 0, 1000000 };

	sys_nanosleep(&step, NULL);
}

long thread_clone(struct wire_thread *thread, struct clone_args *args, int (*fn)(void *thread))
{
	struct wire_task *task = (void *)thread->task;
	struct restorer_counts *counts = (void *)task->counts;
	int left = PATIENCE;
	long got;

	while ((got = sys_clone3_run(args, sizeof(*args), fn, thread)) == -EAGAIN) {
		/* A limit of threads, which may be reached by those that other tasks have for a while. */
		left -= atomic_load(&counts->helpers) ? 1 : PATIENCE / TRIES_ALONE;
		if (left <= 0)
			break;
		thread_pause();
	}
	return got;
}
