/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Undo values of System V semaphores: semop(2), SEM_UNDO. The kernel adds them to the semaphores when the last thread
 * with this list exits, and does not export them. Two properties of semop(2) help: an array of operations is executed
 * completely or not at all, and one that would overflow an undo value fails with ERANGE before anything else is
 * checked. So an array that cannot succeed reveals the value, and one whose operations add up to 0, half of them with
 * SEM_UNDO, changes only the undo value, without releasing the semaphore at any time.
 */
#pragma once
#include <compel/compel.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/sem.h>
#include <sys/types.h>
#include "core.pb-c.h"

/* A thread of a stopped process, into which system calls are injected. */
struct undo_caller {
	struct compel_ctl *ctl;
	pid_t leader, tid; /* pids as we see them */
	uint64_t scratch; /* its memory: space for UNDO_OPS operations */
};

#define UNDO_OPS 512 /* in one page */
#define UNDO_MAX 32767 /* SEMAEM of the kernel, and of a semaphore (SEMVMX) */
#define UNDO_HALF 16384
/* Operations that undo_steps() lays for one semaphore: enough for UNDO_MAX + 1. */
#define UNDO_STEPS 6

/* semop(2) in the thread: 0 or a negative errno; *ret_called: the call was made. */
int undo_semop(const struct undo_caller *caller, int semid, const struct sembuf *ops, unsigned n, bool *ret_called);
int undo_call(const struct undo_caller *caller, long nr, const unsigned long args[static 6], bool *ret_called);
/*
 * Operations that add @by to the undo value of a semaphore, and 0 to its value, which is now @value; returns their
 * number. Intermediate values must not go below 0 or above UNDO_MAX: this depends on the value, but only on which half
 * of the range it is in.
 */
unsigned undo_steps(struct sembuf *ops, unsigned num, int by, unsigned value);

/* restore.c */
struct restore;
struct restore_task;
struct restore_thread;
int sem_undo_load_thread(struct restore *r, struct restore_task *task, struct restore_thread *thread);
/* Semaphores of new IPC namespaces must be in the images. */
int sem_undo_link(struct restore *r);
int sem_undo_before_commit(struct restore *r);
