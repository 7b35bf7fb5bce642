/* SPDX-License-Identifier: GPL-2.0-only */
/* In pie/: no libc, no globals, direct system calls only. */
/*
 * Threads of a process in a user namespace that does not own all pid namespaces it is in: it may set numbers in those that it owns,
 * the innermost ones. In the others the kernel takes the next free number, which the tool sets before (restore/turns.c), so
 * only one process at a time may create a thread. Others may take the number first: then the thread exits, and another one is
 * created.
 */
#include <asm-generic/errno.h>
#include <compel/pie.h>
#include <linux/futex.h>
#include <linux/sched.h>
#include <stdatomic.h>
#include "pie/restorer/core.h"

static void wake(void *word)
{
	sys_futex(word, FUTEX_WAKE, 0x7fffffff, NULL, NULL, 0);
}

/* Another process has failed, or the tool has died. */
static bool given_up(struct wire_task *task)
{
	return atomic_load((_Atomic int32_t *)task->shared_failed) ||
	       (atomic_load((_Atomic uint32_t *)task->tool) & FUTEX_OWNER_DIED);
}

static int await_change(struct wire_task *task, _Atomic uint32_t *word, uint32_t from)
{
	static const struct {
		int64_t sec, nsec;
	} bound = { 0, 200000000 };

	while (atomic_load(word) == from) {
		if (given_up(task))
			return -ECANCELED;
		sys_futex((void *)word, FUTEX_WAIT, from, &bound, NULL, 0);
	}
	return 0;
}

static int take_turn(struct wire_task *task, struct restorer_turn *turn)
{
	for (;;) {
		int32_t holder = 0;
		int err;

		if (atomic_compare_exchange_strong(&turn->holder, &holder, task->tree_pid))
			return 0;
		err = await_change(task, (void *)&turn->holder, (uint32_t)holder);
		if (err)
			return err;
	}
}

static void end_turn(struct restorer_turn *turn)
{
	atomic_store(&turn->state, TURN_FREE);
	atomic_store(&turn->holder, 0);
	wake(&turn->holder);
}

/* By the tool. Returns the new state, or a negative errno. */
static int ask(struct wire_task *task, struct restorer_turn *turn, enum turn_state state)
{
	int err;

	atomic_store(&turn->state, state);
	atomic_fetch_add((_Atomic uint32_t *)task->event, 1);
	wake((void *)task->event);
	err = await_change(task, &turn->state, state);
	return err ? err : (int)atomic_load(&turn->state);
}

bool turn_await_result(struct wire_thread *thread)
{
	while (atomic_load(&thread->turn) == TURN_UNKNOWN)
		sys_futex((void *)&thread->turn, FUTEX_WAIT, TURN_UNKNOWN, NULL, NULL, 0);
	return atomic_load(&thread->turn) == TURN_STAYS;
}

/* Its stack is used again when the kernel has cleared @here. */
static void tell(struct wire_thread *thread, enum turn_result result)
{
	atomic_store(&thread->turn, result);
	wake(&thread->turn);
	while (result == TURN_EXITS && atomic_load(&thread->here))
		sys_futex((void *)&thread->here, FUTEX_WAIT, 1, NULL, NULL, 0);
}

/* 0, TURN_WRONG, or a negative errno. */
static int try(struct wire_thread *thread, struct clone_args *args, int (*fn)(void *thread))
{
	struct wire_task *task = (void *)thread->task;
	struct restorer_turn *turn = (void *)task->turn;
	int state = ask(task, turn, TURN_ASKED);
	long got;

	if (state < 0)
		return state;
	atomic_store(&thread->turn, TURN_UNKNOWN);
	atomic_store(&thread->here, 1);
	got = thread_clone(thread, args, fn);
	/* Where it may set the number, one that is about to go may still have it. */
	if (got < 0 && got != -EEXIST)
		return restorer_fail_at(task, got, "create thread", thread->tid);
	state = ask(task, turn, TURN_CREATED);
	if (got < 0)
		return state < 0 ? state : TURN_WRONG;
	/* With an error the whole process ends. */
	if (state >= 0)
		tell(thread, state == TURN_RIGHT ? TURN_STAYS : TURN_EXITS);
	return state == TURN_RIGHT ? 0 : state < 0 ? state : TURN_WRONG;
}

int turn_start(struct wire_thread *thread, struct clone_args *args, int (*fn)(void *thread))
{
	struct wire_task *task = (void *)thread->task;
	struct restorer_turn *turn = (void *)task->turn;
	int err = take_turn(task, turn);

	if (err)
		return err;
	args->set_tid_size = task->settable_levels;
	args->set_tid = task->settable_levels ? thread->tids : 0;
	/* What the program wants to be cleared is set later (futex.c). */
	args->flags |= CLONE_CHILD_CLEARTID;
	args->child_tid = (uint64_t)&thread->here;
	thread->has_tid_address = 0;
	atomic_store(&turn->thread, thread->index);
	while ((err = try(thread, args, fn)) == TURN_WRONG)
		;
	end_turn(turn);
	return err;
}
