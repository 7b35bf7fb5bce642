/* SPDX-License-Identifier: GPL-2.0-only */
#include "run/shared.h"
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include "base/bits.h"

#define MAX_ERRNO 4095

static void futex_wake_all(_Atomic uint32_t *word)
{
	syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

static void futex_wait(_Atomic uint32_t *word, uint32_t seen)
{
	/* The timeout is for a waker that died: the caller checks then whether the restore has failed. */
	struct timespec bound = { .tv_sec = 1 };

	syscall(SYS_futex, word, FUTEX_WAIT, seen, &bound, NULL, 0);
}

/*
 * Waiters need not say that they wait, so that the kernel looks for them in any case. set_robust_list(2). The list is not
 * in memory that tasks can write to: the kernel follows its addresses.
 */
static int hold_tool(struct shared *shared)
{
	shared->held.list.next = &shared->tool_held;
	shared->held.futex_offset = (long)((uintptr_t)&shared->state->tool - (uintptr_t)&shared->tool_held);
	shared->tool_held.next = &shared->held.list;
	shared->tool_pid = (pid_t)syscall(SYS_gettid);
	atomic_store(&shared->state->tool, (uint32_t)shared->tool_pid | FUTEX_WAITERS);
	if (syscall(SYS_get_robust_list, 0, &shared->held_before, &shared->held_before_len) < 0)
		return -errno;
	return syscall(SYS_set_robust_list, &shared->held, sizeof(shared->held)) < 0 ? -errno : 0;
}

static void *map_shared(uint64_t at, size_t size)
{
	int flags = MAP_SHARED | MAP_ANONYMOUS | (at ? MAP_FIXED_NOREPLACE : 0);
	void *p = mmap((void *)(uintptr_t)at, size, PROT_READ | PROT_WRITE, flags, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

static int make(struct shared *shared, size_t nr_tasks, size_t nr_files, uint64_t at)
{
	size_t head = ROUND_UP(sizeof(struct shared_birth), 64);
	size_t tasks = ROUND_UP(nr_tasks * sizeof(struct shared_task), 64);
	char *birth;

	shared->birth_size = ROUND_UP(head + tasks + nr_files * sizeof(struct shared_file), PAGE_SZ);
	shared->state = map_shared(at, SHARED_STATE_SIZE);
	if (!shared->state)
		return -errno;
	birth = map_shared(0, shared->birth_size);
	if (!birth)
		return -errno;
	shared->birth = (struct shared_birth *)birth;
	shared->tasks = (struct shared_task *)(birth + head);
	shared->files = (struct shared_file *)(birth + head + tasks);
	return hold_tool(shared);
}

static void unmap(struct shared *shared)
{
	if (shared->state)
		munmap(shared->state, SHARED_STATE_SIZE);
	if (shared->birth)
		munmap(shared->birth, shared->birth_size);
	free(shared);
}

int shared_new(size_t nr_tasks, size_t nr_files, uint64_t at, struct shared **ret_shared)
{
	struct shared *shared = calloc(1, sizeof(*shared));
	int err = shared ? make(shared, nr_tasks, nr_files, at) : -ENOMEM;

	if (!err)
		*ret_shared = shared;
	else if (shared)
		unmap(shared);
	return err;
}

void shared_end_tool(struct shared *shared)
{
	atomic_fetch_or(&shared->state->tool, FUTEX_OWNER_DIED);
	futex_wake_all(&shared->state->tool);
}

void shared_free(struct shared *shared)
{
	if (!shared)
		return;
	/* Once the list is replaced, the kernel does not do it when we exit. */
	shared_end_tool(shared);
	syscall(SYS_set_robust_list, shared->held_before, shared->held_before_len);
	unmap(shared);
}

static void shared_notify(struct shared *shared)
{
	atomic_fetch_add(&shared->state->event, 1);
	futex_wake_all(&shared->state->event);
}

static _Atomic uint32_t *counter(struct shared *shared, enum restore_stage stage)
{
	return stage == STAGE_READY ? &shared->state->ready : &shared->birth->reached[stage];
}

void shared_reach(struct shared *shared, enum restore_stage stage)
{
	uint32_t now = atomic_fetch_add(counter(shared, stage), 1) + 1;

	if (now == shared->expected[stage]) {
		futex_wake_all(counter(shared, stage));
		shared_notify(shared);
	}
}

uint32_t shared_reached(struct shared *shared, enum restore_stage stage)
{
	return atomic_load(counter(shared, stage));
}

/* What is not an errno was not set by us. */
int shared_failed(const struct shared *shared)
{
	int32_t failed = atomic_load(&shared->state->failed);

	return failed > 0 || failed < -MAX_ERRNO ? -EIO : failed;
}

void shared_commit(struct shared *shared)
{
	atomic_store(&shared->birth->committed, 1);
	atomic_store(&shared->state->committed, 1);
}

/* A tool that was killed sets no `failed`, and a task killed with it will never reach its next stage. */
static bool is_over(const struct shared *shared)
{
	return shared_failed(shared) || shared_tool_ended(shared);
}

int shared_wait(struct shared *shared, enum restore_stage stage)
{
	_Atomic uint32_t *reached = counter(shared, stage);

	for (;;) {
		uint32_t now = atomic_load(reached);

		if (is_over(shared))
			return -ECANCELED;
		if (now >= shared->expected[stage])
			return 0;
		futex_wait(reached, now);
	}
}

uint32_t shared_progress(const struct shared *shared)
{
	return atomic_load(&shared->birth->progress);
}

void shared_note_progress(struct shared *shared)
{
	atomic_fetch_add(&shared->birth->progress, 1);
	futex_wake_all(&shared->birth->progress);
}

int shared_await_progress(struct shared *shared, uint32_t seen)
{
	while (!is_over(shared)) {
		if (shared_progress(shared) != seen)
			return 0;
		futex_wait(&shared->birth->progress, seen);
	}
	return -ECANCELED;
}

void shared_fail(struct shared *shared, int err)
{
	int32_t none = 0;

	atomic_compare_exchange_strong(&shared->state->failed, &none, err ? err : -EIO);
	for (int stage = 0; stage < NR_STAGES; stage++)
		futex_wake_all(counter(shared, (enum restore_stage)stage));
	futex_wake_all(&shared->birth->progress);
	shared_notify(shared);
}

void shared_file_set(struct shared *shared, unsigned index, pid_t pid, int fd)
{
	struct shared_file *file = &shared->files[index];

	file->pid = pid;
	file->fd = fd;
	/* Most files have one user: there is no waiter. */
	if (atomic_exchange(&file->ready, FILE_READY) == FILE_AWAITED)
		futex_wake_all(&file->ready);
}

int shared_file_wait(struct shared *shared, unsigned index, pid_t *ret_pid, int *ret_fd)
{
	struct shared_file *file = &shared->files[index];

	for (;;) {
		uint32_t state = FILE_OPENING;

		if (atomic_compare_exchange_strong(&file->ready, &state, FILE_AWAITED))
			state = FILE_AWAITED;
		if (state == FILE_READY)
			break;
		if (is_over(shared))
			return -ECANCELED;
		futex_wait(&file->ready, FILE_AWAITED);
	}
	*ret_pid = file->pid;
	*ret_fd = file->fd;
	return 0;
}

int shared_wait_event(struct shared *shared, uint32_t *seen, unsigned timeout_ms)
{
	struct timespec bound = { .tv_sec = timeout_ms / 1000, .tv_nsec = (timeout_ms % 1000) * 1000000l };
	uint32_t now = atomic_load(&shared->state->event);

	if (now == *seen)
		syscall(SYS_futex, &shared->state->event, FUTEX_WAIT, now, &bound, NULL, 0);
	*seen = atomic_load(&shared->state->event);
	return shared_failed(shared);
}
