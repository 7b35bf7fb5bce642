/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the tool and all tasks of a restore share: stages, failures, locations of descriptors. It is in two mappings. One
 * remains in a task with the restorer, until the end; it can then be written by everyone who may trace the task, so that
 * the tool believes nothing that it finds there. The other one, and the copy of the tool's memory with the addresses of
 * both, are gone from a task before it gets its own credentials.
 */
#pragma once
#include <linux/futex.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/bits.h"
#include "pie/wire.h"

enum restore_stage {
	STAGE_BORN, /* the root is in its namespaces, which nobody else is: only if somebody is notified of that */
	STAGE_SET_UP, /* they have been notified: reached by the tool */
	STAGE_FORKED, /* every task exists, in its session; group leaders lead their groups */
	STAGE_GROUPED, /* every task is in its group, except for those that lead one for others */
	STAGE_LEFT, /* those too: only they are counted */
	STAGE_OPENED, /* every file has been opened by its owner */
	STAGE_FILES, /* every descriptor is in its place */
	STAGE_READY, /* in the restorer: memory and threads are complete, only the registers are missing */
	NR_STAGES
};

struct shared_task {
	_Atomic uint32_t put_in_group; /* by its creator: restore/nested.h */
	_Atomic pid_t pid; /* in the tree's pid namespace: exists, and is ours to kill. Set by creator and task */
	uint64_t region, region_len; /* memory of the restorer, to be unmapped in the end */
	uint64_t wire; /* struct wire_task in it */
	uint64_t vdso; /* where the code of the vDSO is in the end */
};

enum shared_file_state {
	FILE_OPENING,
	FILE_AWAITED, /* not yet, and a task waits for it */
	FILE_READY,
};

/* A file that has been opened: process @pid has it as @fd. */
struct shared_file {
	_Atomic uint32_t ready; /* enum shared_file_state; futex */
	pid_t pid;
	int fd;
};

/* Remains mapped in tasks that have their own credentials: neither addresses, nor pids, nor what the tool decides by. */
struct shared_state {
	_Atomic uint32_t ready; /* tasks that have reached STAGE_READY; futex */
	_Atomic int32_t failed; /* negative errno of the first failure */
	_Atomic uint32_t committed; /* 1: the tree is complete and keeps running, whatever happens to the tool */
	_Atomic uint32_t event; /* futex: wakes the tool */
	/* A robust futex that the tool holds: the kernel sets FUTEX_OWNER_DIED when it exits, and wakes the waiters. */
	_Atomic uint32_t tool;
	struct restorer_error error; /* of the first restorer that failed */
	struct restorer_counts counts;
	struct restorer_turn turn;
};

#define SHARED_STATE_SIZE ROUND_UP(sizeof(struct shared_state), PAGE_SZ)

/* Unmapped by the restorer. Followed by the tasks and the files. */
struct shared_birth {
	_Atomic uint32_t reached[NR_STAGES]; /* tasks that have reached it, other than STAGE_READY; futex */
	_Atomic uint32_t progress; /* futex: something has happened that a fork may wait for */
	_Atomic uint32_t lazy_turn; /* a task is sending to the daemon of lazy pages */
	_Atomic uint32_t decoding; /* threads of tasks that decompress pages, unless their number is given */
	_Atomic uint64_t decoding_bytes; /* their buffers, without those of the first one of each process */
	_Atomic uint32_t direct_warned; /* a task has warned that --image-io-mode direct has no effect */
	_Atomic uint32_t committed; /* the same as above, for helpers of the tool */
	_Atomic pid_t root_pid; /* in the tool's pid namespace */
};

/* The tool's own, and copied to each task with its memory. */
struct shared {
	struct shared_state *state;
	struct shared_birth *birth;
	struct shared_task *tasks; /* in @birth */
	struct shared_file *files;
	size_t birth_size;
	uint32_t expected[NR_STAGES]; /* tasks that will reach it; not changed once there are tasks */
	pid_t tool_pid; /* in its own pid namespace */
	struct robust_list_head held; /* of the tool's first thread, and the only one in it: */
	struct robust_list tool_held;
	void *held_before; /* what was registered for that thread before */
	size_t held_before_len;
};

/* By the thread of the tool that ends last, which also frees it. @at: a free address for the state; 0: anywhere. */
int shared_new(size_t nr_tasks, size_t nr_files, uint64_t at, struct shared **ret_shared);
void shared_free(struct shared *shared);
/* In the tool, which will do nothing more for any task: those that wait for it continue as if it had exited. */
void shared_end_tool(struct shared *shared);
/* Called by each task when it reaches a stage. */
void shared_reach(struct shared *shared, enum restore_stage stage);
/* In a task: waits until every task has reached it. -ECANCELED if the restore has failed elsewhere, or the tool exited. */
int shared_wait(struct shared *shared, enum restore_stage stage);
void shared_fail(struct shared *shared, int err);
/* Forks that wait for what other tasks do (restore/nested.h): look, then wait for anything that happens after @seen. */
uint32_t shared_progress(const struct shared *shared);
int shared_await_progress(struct shared *shared, uint32_t seen);
void shared_note_progress(struct shared *shared);
/* How many tasks have reached it. */
uint32_t shared_reached(struct shared *shared, enum restore_stage stage);
/* The first failure: a negative errno, or 0. */
int shared_failed(const struct shared *shared);
/* In the tool: the tree is complete. */
void shared_commit(struct shared *shared);
/* In a task: has the tool exited? */
static inline bool shared_tool_ended(const struct shared *shared)
{
	return atomic_load(&shared->state->tool) & FUTEX_OWNER_DIED;
}
/* Publishes / waits for the location of a file. */
void shared_file_set(struct shared *shared, unsigned index, pid_t pid, int fd);
int shared_file_wait(struct shared *shared, unsigned index, pid_t *ret_pid, int *ret_fd);
/* In the tool: sleeps until there is an event after @seen, for at most @timeout_ms. Returns shared_failed(). */
int shared_wait_event(struct shared *shared, uint32_t *seen, unsigned timeout_ms);
