/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A thread in a process that is going to be a task of the tree. One of libc would leave traces in it: a signal handler, a
 * list of semaphore undos. This one has no thread-local storage of its own: the function that it runs shares that of the thread
 * that has started it. So it must not allocate memory, log, change errno, nor call anything that does. Its tid is one that the
 * tree does not use. The process is killed with all of its threads.
 */
#pragma once
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct bare_thread {
	void *stack; /* NULL: it does not run */
	pid_t number;
	_Atomic uint32_t tid; /* futex: 0 when it does not use memory any more */
};

/* It has @number in its @levels pid namespaces, and no signals. A negative errno, not logged: -EEXIST: another one may be free. */
int bare_thread_start(struct bare_thread *t, pid_t number, unsigned levels, int (*fn)(void *), void *arg);
/* Waits for its end: then its stack is not in use, nor its number, unless somebody traces it. Nothing if it does not run. */
void bare_thread_end(struct bare_thread *t);
