/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Numbers of threads that their process may not set: the kernel takes the first free one after ns_last_pid, so that is set to the
 * one before, in each of these pid namespaces; inside of the tree's, by a process that enters it. Whether the new thread
 * has got the numbers is read from /proc: nothing is believed that a process of the tree may have written.
 */
#include "restore/turns.h"
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "kernel/last_pid.h"
#include "kernel/ns_run.h"
#include "kernel/proc_pid.h"
#include "restore/restore.h"
#include "run/restore.h"
#include "run/user_ns.h"
#include "util/log.h"

/* At first others that fork all the time are the likely reason, then somebody that has the number, and may be about to exit. */
#define TRIES_AT_ONCE 500u
#define TRIES 1500u
#define STEP_US 2000u
/* Numbers that others take while one is created. */
#define NEAR 1000u

static struct restore_thread *thread_at_turn(struct restore *r, struct restore_task **ret_rt)
{
	struct restorer_turn *turn = &r->shared->state->turn;
	struct restore_task *rt = restore_find_task(r, atomic_load(&turn->holder));
	uint32_t index = atomic_load(&turn->thread);

	if (!rt || !index || index >= rt->nr_threads)
		return NULL;
	*ret_rt = rt;
	return &rt->threads[index];
}

/* ---- the next number ---- */

static int write_here(void *last)
{
	return last_pid_write(*(uint64_t *)last);
}

static int write_in_child(void *last)
{
	int result = 0, err = ns_run_in(NULL, 0, write_here, last, &result);

	return err ? err : result;
}

static int write_in(int ns, uint64_t last)
{
	int result = 0, err = ns_run_in(&ns, 1, write_in_child, &last, &result);

	return err ? err : result;
}

static int write_nested(struct restore *r, const struct ns *ns, uint64_t last)
{
	_cleanup_proc_ struct proc init = PROC_CLOSED;
	int err = proc_open(restore_number_here(r, ns->init->pid), &init);
	_cleanup_close_ int fd = err ? err : proc_ns_open(&init, PROC_NS_PID);

	return fd < 0 ? fd : write_in(fd, last);
}

/* What other processes get next should not be numbers of the tree: restore_put_last_pid_back(). */
static int write_own(struct restore *r, uint64_t last)
{
	/* It has not been put back if the process before has failed to create its thread. */
	if (!r->tool.last_pid_was)
		r->tool.last_pid_was = last_pid_read();
	r->tool.last_pid_set = last;
	return last_pid_write(last);
}

/* @ns: NULL: that of the root. */
static int set_next(struct restore *r, const struct ns *ns, pid_t next)
{
	const uint64_t last = (uint64_t)next - 1;
	int err;

	r->tool.moved_last_pid = true;
	if (ns)
		err = write_nested(r, ns, last);
	else
		err = r->tool.pid_ns >= 0 ? write_in(r->tool.pid_ns, last) : write_own(r, last);
	return err ? fail(err, "thread %d: write %lu to /proc/sys/kernel/ns_last_pid in %s pid namespace", next, last,
			  ns ? "its nested" : "the root's") :
		     0;
}

/* From inside to outside: who writes in one has a number in each around it. */
static int set_all(struct restore *r, const struct restore_task *rt, const struct restore_thread *thread)
{
	unsigned settable = restore_settable_levels(r, rt), level = 0;
	int err = 0;

	for (const struct ns *ns = rt->t.pid_ns; !err && ns; ns = ns->outer, level++)
		if (level >= settable)
			err = set_next(r, ns, thread->id.inner[ns->depth - 1]);
	return err ? err : set_next(r, NULL, thread->id.tid);
}

/* Others may have got some numbers since. */
void restore_put_last_pid_back(struct restore *r)
{
	uint64_t now;

	if (!r->tool.last_pid_was)
		return;
	now = last_pid_read();
	if (now >= r->tool.last_pid_set && now - r->tool.last_pid_set < NEAR)
		last_pid_write(r->tool.last_pid_was);
	r->tool.last_pid_was = 0;
}

/* ---- what it has got ---- */

static bool has_numbers(struct restore *r, const struct restore_task *rt, const struct restore_thread *thread)
{
	const unsigned depth = rt->t.pid_ns ? rt->t.pid_ns->depth : 0;
	_cleanup_proc_status_ struct proc_status status = { 0 };
	_cleanup_proc_ struct proc proc = PROC_CLOSED;
	const pid_t *numbers;
	pid_t here = restore_number_here(r, thread->id.tid);

	if (here <= 0 || proc_open(here, &proc) || proc_status_read(&proc, &status))
		return false;
	if (status.tgid != restore_number_here(r, rt->t.pid) || status.levels < depth + 1)
		return false;
	numbers = status.nspid + status.levels - depth - 1;
	for (unsigned i = 0; i < depth; i++)
		if (numbers[1 + i] != thread->id.inner[i])
			return false;
	return numbers[0] == thread->id.tid;
}

static int refuse(struct restore *r, const struct restore_task *rt, const struct restore_thread *thread)
{
	_cleanup_proc_ struct proc proc = PROC_CLOSED;
	pid_t here = restore_number_here(r, thread->id.tid);
	struct proc_stat stat;

	if (here > 0 && !proc_open(here, &proc) && !proc_stat_read(&proc, &stat))
		return fail(-EEXIST, "thread %d of process %d: its tid is in use by %s (parent %d): " TAKEN_ADVICE,
			    thread->id.tid, rt->t.pid, stat.comm, stat.ppid);
	return fail(
		-EEXIST,
		"thread %d of process %d: one of its tids is in use as the id of a process group or session, or was taken by others %u times: end its processes, or " TAKEN_ADVICE_ELSE,
		thread->id.tid, rt->t.pid, TRIES);
}

static void answer(struct restorer_turn *turn, enum turn_state state)
{
	atomic_store(&turn->state, state);
	syscall(SYS_futex, &turn->state, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

static int look_at_created(struct restore *r, const struct restore_task *rt, const struct restore_thread *thread)
{
	struct restorer_turn *turn = &r->shared->state->turn;

	restore_put_last_pid_back(r);
	if (has_numbers(r, rt, thread)) {
		if (r->tool.turn_tries)
			log_debug("thread %d of process %d: others had taken its numbers %u times", thread->id.tid,
				  rt->t.pid, r->tool.turn_tries);
		r->tool.turn_tries = 0;
		answer(turn, TURN_RIGHT);
		return 0;
	}
	if (++r->tool.turn_tries >= TRIES)
		return refuse(r, rt, thread);
	if (r->tool.turn_tries > TRIES_AT_ONCE)
		usleep(STEP_US); /* style: there is no event when another process exits */
	answer(turn, TURN_WRONG);
	return 0;
}

int restore_serve_turn(struct restore *r)
{
	struct restorer_turn *turn = &r->shared->state->turn;
	const uint32_t state = atomic_load(&turn->state);
	const struct restore_thread *thread;
	struct restore_task *rt = NULL;
	int err;

	if (state != TURN_ASKED && state != TURN_CREATED)
		return 0;
	thread = thread_at_turn(r, &rt);
	if (!thread)
		return fail(-EBADMSG, "a process asks for a thread that the images do not have");
	if (state == TURN_CREATED)
		return look_at_created(r, rt, thread);
	err = set_all(r, rt, thread);
	if (!err)
		answer(turn, TURN_READY);
	return err;
}
