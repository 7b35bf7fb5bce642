/* SPDX-License-Identifier: GPL-2.0-only */
#include "run/shared.h"
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include "base/bits.h"

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

/* Waiters need not say that they wait, so that the kernel looks for them in any case. set_robust_list(2) */
static int hold_tool(struct shared *shared)
{
	shared->held.list.next = &shared->tool_held;
	shared->held.futex_offset = (long)offsetof(struct shared, tool) - (long)offsetof(struct shared, tool_held);
	shared->tool_held.next = &shared->held.list;
	atomic_store(&shared->tool, (uint32_t)syscall(SYS_gettid) | FUTEX_WAITERS);
	if (syscall(SYS_get_robust_list, 0, &shared->held_before, &shared->held_before_len) < 0)
		return -errno;
	return syscall(SYS_set_robust_list, &shared->held, sizeof(shared->held)) < 0 ? -errno : 0;
}

int shared_new(size_t nr_tasks, size_t nr_files, uint64_t at, struct shared **ret_shared)
{
	size_t head = ROUND_UP(sizeof(struct shared), 64);
	size_t tasks = ROUND_UP(nr_tasks * sizeof(struct shared_task), 64);
	size_t size = ROUND_UP(head + tasks + nr_files * sizeof(struct shared_file), PAGE_SZ);
	int flags = MAP_SHARED | MAP_ANONYMOUS | (at ? MAP_FIXED_NOREPLACE : 0), err;
	char *p = mmap((void *)(uintptr_t)at, size, PROT_READ | PROT_WRITE, flags, -1, 0);
	struct shared *shared = (struct shared *)p;

	if (p == MAP_FAILED)
		return -errno;
	err = hold_tool(shared);
	if (err) {
		munmap(p, size);
		return err;
	}
	shared->size = size;
	shared->tasks = (struct shared_task *)(p + head);
	shared->files = (struct shared_file *)(p + head + tasks);
	*ret_shared = shared;
	return 0;
}

void shared_end_tool(struct shared *shared)
{
	atomic_fetch_or(&shared->tool, FUTEX_OWNER_DIED);
	futex_wake_all(&shared->tool);
}

void shared_free(struct shared *shared)
{
	if (!shared)
		return;
	/* Once the list is replaced, the kernel does not do it when we exit. */
	shared_end_tool(shared);
	syscall(SYS_set_robust_list, shared->held_before, shared->held_before_len);
	munmap(shared, shared->size);
}

static void shared_notify(struct shared *shared)
{
	atomic_fetch_add(&shared->event, 1);
	futex_wake_all(&shared->event);
}

void shared_reach(struct shared *shared, enum restore_stage stage)
{
	uint32_t now = atomic_fetch_add(&shared->reached[stage], 1) + 1;

	if (now == shared->expected[stage]) {
		futex_wake_all(&shared->reached[stage]);
		shared_notify(shared);
	}
}

/* A tool that was killed sets no `failed`, and a task killed with it will never reach its next stage. */
static bool is_over(const struct shared *shared)
{
	return atomic_load(&shared->failed) || shared_tool_ended(shared);
}

int shared_wait(struct shared *shared, enum restore_stage stage)
{
	for (;;) {
		uint32_t now = atomic_load(&shared->reached[stage]);

		if (is_over(shared))
			return -ECANCELED;
		if (now >= shared->expected[stage])
			return 0;
		futex_wait(&shared->reached[stage], now);
	}
}

void shared_fail(struct shared *shared, int err)
{
	int32_t none = 0;

	atomic_compare_exchange_strong(&shared->failed, &none, err ? err : -EIO);
	for (int stage = 0; stage < NR_STAGES; stage++)
		futex_wake_all(&shared->reached[stage]);
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
	uint32_t now = atomic_load(&shared->event);

	if (now == *seen)
		syscall(SYS_futex, &shared->event, FUTEX_WAIT, now, &bound, NULL, 0);
	*seen = atomic_load(&shared->event);
	return atomic_load(&shared->failed);
}
