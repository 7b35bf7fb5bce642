/* SPDX-License-Identifier: GPL-2.0-only */
/* System V semaphore sets of our IPC namespace: semctl(2). 0 or a negative errno. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "util/array.h"

struct sem_set {
	int id;
	uint32_t key;
	unsigned nr; /* number of semaphores */
	int64_t used; /* when semop(2) was last called; 0: never */
};
ARRAY_OF(sem_set_array, struct sem_set);

/*
 * Appends all sets that can be queried. If there are none, it makes one system call. *ret_unreadable: why the first of
 * the others cannot, a negative errno; 0: there are no others.
 */
int sem_sets_read(struct sem_set_array *to, int *ret_unreadable);
/* -EINVAL, -EIDRM: there is no set with that id. */
int sem_set_stat(int id, struct sem_set *ret);
/* Value of a semaphore; also the process that last changed it, 0: it has no pid here. -EACCES */
int sem_value(int id, unsigned num, unsigned *ret_value);
int sem_last_pid(int id, unsigned num, pid_t *ret_pid);
/* Maximum number of operations of one semop(2). */
unsigned sem_ops_max(void);
