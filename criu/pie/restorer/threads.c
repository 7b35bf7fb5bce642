/* SPDX-License-Identifier: GPL-2.0-only */
/* In pie/: no libc, no globals, direct system calls only. */
/*
 * Threads, and the wait for the end. The tool sets every thread's registers while it waits here; if the tool dies, a
 * thread continues by itself if the tree was complete, and exits otherwise.
 */
#include <asm-generic/errno-base.h>
#include <compel/pie.h>
#include <linux/futex.h>
#include <linux/sched.h>
#include <stdatomic.h>
#include "pie/restorer/core.h"

/* Each after a millisecond, for a number that is in use. */
#define TRIES_TAKEN 2000

static void wake(_Atomic uint32_t *word)
{
	sys_futex((void *)word, FUTEX_WAKE, 0x7fffffff, NULL, NULL, 0);
}

void task_failed(struct wire_task *task, int err)
{
	int32_t none = 0;
	_Atomic int32_t *failed = (void *)task->shared_failed;

	atomic_store(&task->failed, err);
	atomic_compare_exchange_strong(failed, &none, err);
	atomic_fetch_add((_Atomic uint32_t *)task->event, 1);
	wake((void *)task->event);
}

void task_ready(struct wire_task *task)
{
	_Atomic uint32_t *count = (void *)task->ready_count;

	if (task->own_service_base)
		sys_call6(__NR_close_range, task->own_service_base, ~0u, 0, 0, 0, 0);
	if (atomic_fetch_add(count, 1) + 1 != task->ready_expected)
		return;
	wake(count);
	atomic_fetch_add((_Atomic uint32_t *)task->event, 1);
	wake((void *)task->event);
}

void thread_wait(struct wire_task *task)
{
	/* The kernel wakes one thread, which may be killed before it has woken the others. */
	static const struct {
		int64_t sec, nsec;
	} bound = { 5, 0 };
	_Atomic uint32_t *tool = (void *)task->tool;
	uint32_t now;

	while (!((now = atomic_load(tool)) & FUTEX_OWNER_DIED))
		sys_futex((void *)tool, FUTEX_WAIT, now, &bound, NULL, 0);
	wake(tool);
	if (!atomic_load((_Atomic uint32_t *)task->committed))
		sys_exit_group(1);
}

void thread_end(struct wire_thread *thread)
{
	struct wire_task *task = (void *)thread->task;

	while (!atomic_load(&thread->end_now))
		sys_futex((void *)&thread->end_now, FUTEX_WAIT, 0, NULL, NULL, 0);
	if (task->service_base)
		sys_call6(__NR_close_range, task->service_base, ~0u, 0, 0, 0, 0);
	sys_set_tid_address((void *)&thread->here);
	for (;;)
		sys_call1(__NR_exit, thread->exit_status);
}

static void have_first_end(struct wire_task *task)
{
	struct wire_thread *first = (void *)task->threads;

	if (!first->ends)
		return;
	atomic_store(&first->end_now, 1);
	wake(&first->end_now);
	while (atomic_load(&first->here))
		sys_futex((void *)&first->here, FUTEX_WAIT, 1, NULL, NULL, 0);
	/* The kernel wakes one. */
	wake(&first->here);
}

void thread_go_on(struct wire_thread *thread)
{
	struct wire_task *task = (void *)thread->task;

	have_first_end(task);

	/* Peers of sockets and pipes are there, too: a wait for end-of-file would never return. */
	if (!thread->index && task->service_base)
		sys_call6(__NR_close_range, task->service_base, ~0u, 0, 0, 0, 0);
	/*
	 * The tool is gone, and nothing else could end it: it would run without a filter, or with a capability that it did not have.
	 * Signals are blocked: one that its filters do not let exit is killed by the trap.
	 */
	if (restorer_thread_last(thread)) {
		sys_exit_group(1);
		__builtin_trap();
	}
	arch_set_bases(thread);
	sys_rt_sigreturn(thread->sigframe);
}

/*
 * The same under its filters: from here on each call must be permitted by them. The tool has set the bases, and the
 * range of descriptors to be closed. Signals are blocked: a thread that no filter lets exit is killed by the trap.
 */
static void filtered_go_on(struct wire_thread *thread)
{
	struct wire_task *task = (void *)thread->task;

	if (!atomic_load((_Atomic uint32_t *)task->committed)) {
		sys_exit_group(1);
		__builtin_trap();
	}
	for (int fd = thread->close_from; fd < thread->close_to; fd++)
		sys_close(fd);
	sys_rt_sigreturn(thread->sigframe);
}

void thread_name_entry(struct wire_thread *thread)
{
	thread->filtered_entry = (uint64_t)filtered_go_on;
}

static bool takes_turns(const struct wire_task *task)
{
	return task->settable_levels < task->pid_levels;
}

static int thread_main(void *arg)
{
	struct wire_thread *thread = arg;
	struct wire_task *task = (void *)thread->task;
	int err;

	if (takes_turns(task) && !turn_await_result(thread))
		return 0;
	while (!atomic_load(&task->threads_go))
		sys_futex((void *)&task->threads_go, FUTEX_WAIT, 0, NULL, NULL, 0);
	thread_name_entry(thread);
	err = restorer_thread(thread);
	if (err)
		task_failed(task, err);
	/* The first thread waits for all of them, or for a failure. */
	if (err || atomic_fetch_add(&task->threads_ready, 1) + 1 == task->nr_threads - 1)
		wake(&task->threads_ready);
	thread_wait(task);
	thread_go_on(thread);
	return 1;
}

/* A tid may be freed a moment after its task has disappeared from /proc. */
static long clone_when_free(struct wire_thread *thread, struct clone_args *args)
{
	long got = -EEXIST;

	for (int tries = 0; got == -EEXIST && tries < TRIES_TAKEN; tries++) {
		if (tries)
			thread_pause();
		got = thread_clone(thread, args, thread_main);
	}
	return got;
}

static int start_one(struct wire_task *task, struct wire_thread *thread)
{
	struct clone_args args = {
		.flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM,
		.stack = thread->stack,
		.stack_size = thread->stack_size,
		.set_tid = thread->tids,
		.set_tid_size = task->pid_levels,
	};
	long got;

	if (takes_turns(task))
		return turn_start(thread, &args, thread_main);
	/* One that is created early does not know it yet. */
	thread->has_tid_address = thread->clear_child_tid != 0;
	if (thread->has_tid_address) {
		args.flags |= CLONE_CHILD_CLEARTID;
		args.child_tid = thread->clear_child_tid;
	}
	got = clone_when_free(thread, &args);
	if (got == -EEXIST)
		return restorer_fail_at(task, got, "create a thread: its tid is in use", thread->tid);
	return got < 0 ? restorer_fail_at(task, got, "create thread", thread->tid) : 0;
}

int thread_start(struct wire_thread *thread)
{
	int err = start_one((void *)thread->task, thread);

	thread->exists = !err;
	return err;
}

int threads_start(struct wire_task *task)
{
	struct wire_thread *threads = (void *)task->threads;
	const bool downwards = takes_turns(task);
	int err = restore_name(threads);

	/*
	 * Mostly in the order of their numbers. Who starts a process while a thread is created gets the number after that one's:
	 * downwards, a thread of ours has it already, and none is still to get it.
	 */
	for (uint32_t i = 1; !err && i < task->nr_threads; i++) {
		struct wire_thread *thread = &threads[downwards ? task->nr_threads - i : i];

		err = thread->exists ? 0 : start_one(task, thread);
	}
	return err;
}

int threads_set_up(struct wire_task *task)
{
	uint32_t ready;

	if (task->nr_threads == 1)
		return 0;
	atomic_store(&task->threads_go, 1);
	wake(&task->threads_go);
	while ((ready = atomic_load(&task->threads_ready)) != task->nr_threads - 1) {
		if (atomic_load(&task->failed))
			return atomic_load(&task->failed);
		sys_futex((void *)&task->threads_ready, FUTEX_WAIT, ready, NULL, NULL, 0);
	}
	return 0;
}
