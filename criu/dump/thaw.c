/* SPDX-License-Identifier: GPL-2.0-only */
/* The two ends of a dump: the tree is resumed, or killed. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/bits.h"
#include "dump/dump.h"
#include "run/dump.h"
#include "run/freezer.h"
#include "run/guard.h"
#include "util/log.h"

#define INIT_WAIT_MS 10000
#define THREAD_PAUSE_US 100

void dump_resume_thread(struct dump *dump, struct dump_thread *th)
{
	int err = 0;

	if (!th->seized)
		return;
	th->seized = false;
	if (th->stop.state == COMPEL_RUNNING)
		err = array_add(dump->attached, th->id.host_tid);
	else
		err = compel_detach(th->id.host_tid, &th->stop);
	if (err < 0 && err != -ESRCH)
		log_warn("resume %d: errno %d", th->id.host_tid, -err);
}

void dump_thaw(struct dump *dump)
{
	bool stop = dump->opts->leave_stopped && dump->complete;
	struct dump_task *dt;

	if (stop && dump->guard)
		guard_tree_gets(dump->guard, SIGSTOP);
	dump_for_each_task(dt, dump) {
		/* Queued before the threads are resumed, so that none of them executes an instruction. */
		if (stop && dt->nr_threads && dt->t.state == TASK_ALIVE && kill(dt->t.host_pid, SIGSTOP) < 0)
			log_warn("leave %d stopped: kill: errno %d", dt->t.host_pid, errno);
	}
	guard_end(dump);
	freezer_end(dump);
	dump_for_each_task(dt, dump) {
		for (size_t i = 0; i < dt->nr_threads; i++)
			dump_resume_thread(dump, &dt->threads[i]);
	}
}

/* Has it exited, and been reaped? */
static bool thread_ended(pid_t tid)
{
	int status;
	pid_t got = waitpid(tid, &status, __WALL | WNOHANG);

	return got == tid ? !WIFSTOPPED(status) : got < 0 && errno != EINTR;
}

/*
 * In any order: the thread that exits last waits in the kernel until the others have been reaped. Returns whether all of them have
 * ended within what is left of @us.
 */
static bool threads_end(const struct dump_task *dt, int *us)
{
	_cleanup_free_ bool *ended = calloc(dt->nr_threads, sizeof(*ended));
	size_t left = dt->nr_threads;

	if (!ended)
		return false;
	for (; left && *us > 0; *us -= THREAD_PAUSE_US) {
		for (size_t i = 0; i < dt->nr_threads; i++) {
			pid_t tid = dt->threads[i].id.host_tid;
			bool leader = !dt->leader_ended && tid == dt->t.host_pid;

			if (!ended[i] && (leader || thread_ended(tid))) {
				ended[i] = true;
				left--;
			}
		}
		if (left)
			usleep(THREAD_PAUSE_US); /* style: a pidfd of a thread needs Linux 6.9 */
	}
	return !left;
}

/* How deep the pid namespace is nested that it is the init of: that of the root is 0. -1: it is none. */
static int init_depth(const struct dump *dump, const struct dump_task *dt)
{
	if (dt->t.pid_ns)
		return dt->t.pid_ns->init == &dt->t ? (int)dt->t.pid_ns->depth : -1;
	return dump->pid_ns >= 0 && &dt->t == dump->tree.root ? 0 : -1;
}

/*
 * The init of a pid namespace exits only when everything in it has been waited for; a process that entered from outside has a
 * parent there, which may never do it. The last thread of the init waits for that, whichever it is; and the exit of the process
 * is only reported when its other threads, our tracees, have been reaped.
 */
static bool init_ends(const struct dump *dump, const struct dump_task *dt)
{
	struct pollfd ended = { .fd = dt->pidfd, .events = POLLIN };
	int us = INIT_WAIT_MS * 1000;

	if (init_depth(dump, dt) < 0)
		return true;
	kill(dt->t.host_pid, SIGKILL);
	if (threads_end(dt, &us) && poll(&ended, 1, us / 1000))
		return true;
	log_warn(
		"process %d has been killed, and exits when the parents of all processes that entered its pid namespace have waited for them",
		dt->t.host_pid);
	return false;
}

static int kill_task(const struct dump *dump, struct dump_task *dt)
{
	_cleanup_free_ pid_t *tids = calloc(dt->nr_threads, sizeof(*tids));
	int err;

	if (!tids)
		return fail(-ENOMEM, "kill %d", dt->t.host_pid);
	for (size_t i = 0; i < dt->nr_threads; i++)
		tids[i] = dt->threads[i].id.host_tid;
	err = init_ends(dump, dt) ? compel_kill(dt->t.host_pid, tids, dt->nr_threads) : 0;
	for (size_t i = 0; i < dt->nr_threads; i++)
		dt->threads[i].seized = false;
	return err < 0 ? fail(err, "kill %d", dt->t.host_pid) : 0;
}

/* Those that are the init of a namespace nested as deep as this; -1: all others. */
static int kill_all(struct dump *dump, int depth)
{
	struct dump_task *dt;
	int first = 0;

	dump_for_each_task_upwards(dt, dump)
	{
		int err = dt->nr_threads && init_depth(dump, dt) == depth ? kill_task(dump, dt) : 0;

		if (err < 0 && !first)
			first = err;
	}
	return first;
}

int dump_kill(struct dump *dump)
{
	const struct run_kind *kind;
	struct dump_task *dt;
	int first, deepest = 0;

	/* Point of no return: if we die from here on, the tree is killed all the same. */
	if (dump->guard)
		guard_tree_gets(dump->guard, SIGKILL);
	run_for_each_kind(kind)
		if (kind->before_kill)
			kind->before_kill(dump);
	/*
	 * All of them at once first: none may notice that a part of the tree is gone, and act on it. By number: a process that is
	 * traced keeps its own until its tracer has waited for it.
	 */
	dump_for_each_task(dt, dump)
		if (dt->nr_threads)
			kill(dt->t.host_pid, SIGKILL);
	/*
	 * The init of a pid namespace exits only when all others in it have been waited for, which for tracees is up to
	 * us. They may have parents outside of it.
	 */
	first = kill_all(dump, -1);
	dump_for_each_task(dt, dump)
		deepest = MAX_OF(deepest, init_depth(dump, dt));
	for (int depth = deepest; depth >= 0; depth--) {
		int err = kill_all(dump, depth);

		first = first ? first : err;
	}
	return first;
}
