/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Undo values of System V semaphores: semop(2), SEM_UNDO. The kernel adds them to the semaphores when the last thread with
 * this list of them ends, and tells them to nobody. Two properties of semop(2) help: an array of operations is carried
 * out as a whole or not at all, and one that would take an undo value out of its range fails with ERANGE before anything
 * else is looked at. So an array that cannot succeed tells what the value is, and one whose operations add up to 0, half
 * of them with SEM_UNDO, changes the undo value alone, with no moment in which the semaphore is free.
 */
#pragma once
#include <compel/compel.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/sem.h>
#include <sys/types.h>
#include "core.pb-c.h"

/* A thread of a stopped process that calls are made in. */
struct undo_caller {
	struct compel_ctl *ctl;
	pid_t leader, tid; /* as we see them */
	uint64_t scratch; /* its memory: room for UNDO_OPS operations */
};

#define UNDO_OPS 512 /* in one page */
#define UNDO_MAX 32767 /* SEMAEM of the kernel, and of a semaphore (SEMVMX) */
#define UNDO_HALF 16384
/* Operations that undo_steps() lays for one semaphore: enough for UNDO_MAX + 1. */
#define UNDO_STEPS 6

/* semop(2) in the thread: 0 or a negative errno; *ret_called: it was made at all. */
int undo_semop(const struct undo_caller *caller, int semid, const struct sembuf *ops, unsigned n, bool *ret_called);
int undo_call(const struct undo_caller *caller, long nr, const unsigned long args[static 6], bool *ret_called);
/*
 * Operations that add @by to the undo value of a semaphore, and 0 to its value, which is @value now: how many. What they do
 * in between must not go below 0 or above UNDO_MAX: that depends on the value, but only on which half of the range it is in.
 */
unsigned undo_steps(struct sembuf *ops, unsigned num, int by, unsigned value);

/* restore.c */
struct restore;
struct restore_task;
struct restore_thread;
int sem_undo_load_thread(struct restore *r, struct restore_task *task, struct restore_thread *thread);
int sem_undo_before_commit(struct restore *r);
