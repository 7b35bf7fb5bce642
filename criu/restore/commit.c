/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The last step, from outside: every thread gets its own registers, the restorer is removed from every task, and the
 * tree runs. Until `committed` is set, every task dies with the tool; afterwards each of them continues by itself if we
 * die before its turn (pie/restorer/threads.c).
 */
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <sys/wait.h>
#include <unistd.h>
#include "kernel/proc_pid.h"
#include "restore/restore.h"
#include "restore/stopped.h"
#include "run/restore.h"
#include "run/untrusted.h"
#include "util/log.h"

/* A step that fails after the point of no return is retried, after 1, 2, 4, ... ms. */
#define FINISH_TRIES 6
#define FINISH_STEP_US 1000u
/* The restorer is removed from this many tasks at a time: a descriptor is open for each. */
#define BATCH 64
/* For a first thread that has to exit. */
#define LEADER_WAIT_US 5000000u
#define LEADER_STEP_US 50u

/*
 * The leader last: if the process is killed meanwhile, its end is reported only when all other threads, which we trace,
 * have been waited for. If they had stopped before, it is not reported at all.
 */
static int await_stops(const struct restore_task *rt)
{
	for (size_t i = rt->nr_threads; i-- > 0;) {
		pid_t tid = rt->threads[i].id.host_tid;
		bool leads = !i && rt->nr_threads > 1;
		struct compel_stop stop;
		int err = leads ? compel_wait_leader_stop(tid, &stop) : compel_wait_own_stop(tid, &stop);

		if (!err && stop.state == COMPEL_DEAD)
			err = -ECHILD;
		if (err < 0)
			return fail(err, "restored thread %d does not stop", tid);
	}
	return 0;
}

static int seize_all(struct restore *r)
{
	struct restore_task *rt;

	restore_for_each_task(rt, r) {
		for (size_t i = 0; task_lives(rt) && i < rt->nr_threads; i++) {
			int err = compel_seize(rt->threads[i].id.host_tid, true);

			if (err < 0)
				return fail(err, "seize restored thread %d", rt->threads[i].id.host_tid);
		}
	}
	restore_for_each_task(rt, r) {
		int err = task_lives(rt) ? await_stops(rt) : 0;

		if (err)
			return err;
	}
	return 0;
}

static bool sigchld_pending(const struct restore_task *rt)
{
	_cleanup_proc_ struct proc proc = PROC_CLOSED;
	_cleanup_proc_status_ struct proc_status status = { 0 };

	return !proc_open(rt->t.host_pid, &proc) && !proc_status_read(&proc, &status) &&
	       (status.shared_pending & BIT(SIGCHLD - 1));
}

/*
 * The parent had already noticed the stop of its child: it gets no second notification. @wire has space for the calls'
 * data.
 */
static void forget_stops(struct restore_task *rt, struct compel_ctl *ctl, uint64_t wire)
{
	struct {
		uint64_t set;
		struct timespec now;
	} args = { .set = BIT(SIGCHLD - 1) };
	struct iovec local = { &args, sizeof(args) }, remote = { (void *)(uintptr_t)wire, sizeof(args) };
	unsigned long wait_args[6] = { wire, 0, wire + offsetof(__typeof__(args), now), sizeof(uint64_t) };
	struct task *child;
	long value;

	list_for_each(child, &rt->t.children, sibling)
		if (child->state == TASK_STOPPED && !child->stop_unseen)
			stopped_call(ctl, SYS_wait4, child->pid, 0, WUNTRACED | WNOHANG | __WALL);
	/* The task itself no longer needs its wire data. */
	if (rt->drop_sigchld && process_vm_writev(rt->t.host_pid, &local, 1, &remote, 1, 0) == (ssize_t)sizeof(args))
		compel_syscall(ctl, SYS_rt_sigtimedwait, wait_args, &value);
}

/*
 * Our descriptors in the task. Its filters may deny close_range(2), and are in force again if we are killed during the
 * call; close(2) is hardly ever denied.
 */
static int close_service(struct restore *r, struct restore_task *rt, struct compel_ctl *ctl)
{
	pid_t tid = rt->threads[0].id.host_tid;
	int end, err = 0;

	if (compel_may_call(tid, SYS_close_range) || !compel_may_call(tid, SYS_close))
		return stopped_call(ctl, SYS_close_range, r->service_base, ~0u, 0);
	end = stopped_end_of_descriptors(rt);
	for (int fd = r->service_base; fd < end && (!err || err == -EBADF); fd++)
		err = stopped_call(ctl, SYS_close, fd, 0, 0);
	return err == -EBADF ? 0 : err;
}

static bool has_stops_to_forget(const struct restore_task *rt)
{
	struct task *child;

	list_for_each(child, &rt->t.children, sibling)
		if (child->state == TASK_STOPPED && !child->stop_unseen)
			return true;
	return rt->drop_sigchld;
}

/*
 * Removes what is left of the restore from the task while it is still in the restorer: if we are killed meanwhile, it
 * continues from there, and does the same by itself. A program that ran with our descriptors would wait forever for
 * other ends of them to be closed: usually the task has closed them before it was ready.
 */
static int tidy_up(struct restore *r, struct restore_task *rt)
{
	struct compel_ctl *ctl = NULL;
	bool close = rt->files_owner && rt->files_shared;
	int cured, err;

	if (!close && !has_stops_to_forget(rt))
		return 0;
	err = compel_open(rt->threads[0].id.host_tid, &ctl);
	if (!err)
		forget_stops(rt, ctl, r->shared->tasks[rt->t.index].wire);
	if (!err && close)
		err = close_service(r, rt, ctl);
	cured = ctl ? compel_cure(ctl) : 0;
	return err ? err : cured;
}

/* Then it is certain that it runs none of our code any more: no wait reports the exit of a first thread. */
static bool leader_is_zombie(const struct restore_task *rt)
{
	_cleanup_proc_ struct proc proc = PROC_CLOSED;
	struct proc_stat stat;

	return proc_open(rt->t.host_pid, &proc) || proc_stat_read(&proc, &stat) || strchr("ZX", stat.state);
}

/*
 * It waits in the restorer for this command. Detached before it exits: as a zombie that we trace, it would block its
 * parent's wait for the process.
 */
static int see_leader_off(struct restore *r, struct restore_task *rt)
{
	const struct compel_stop stop = { .state = COMPEL_TRAPPED };
	pid_t other = restore_first_thread(rt)->id.host_tid;
	struct wire_task wire = { 0 };
	uint32_t now = 1;
	struct iovec local = { &now, sizeof(now) }, remote;
	int err = rt->leader_ended ? 0 : stopped_peek(other, r->shared->tasks[rt->t.index].wire, &wire, sizeof(wire));

	if (err || rt->leader_ended)
		return err;
	remote = (struct iovec){ (void *)(uintptr_t)(wire.threads + offsetof(struct wire_thread, end_now)),
				 sizeof(now) };
	if (process_vm_writev(other, &local, 1, &remote, 1, 0) != (ssize_t)sizeof(now))
		return -EFAULT;
	err = compel_detach(rt->threads[0].id.host_tid, &stop);
	if (err && err != -ESRCH)
		return err;
	for (unsigned waited = 0; !leader_is_zombie(rt); waited += LEADER_STEP_US) {
		if (waited >= LEADER_WAIT_US)
			return -ETIMEDOUT;
		usleep(LEADER_STEP_US); /* style: there is no event for it */
	}
	rt->leader_ended = true;
	return 0;
}

static int take_restorer_out(struct restore *r, struct restore_task *rt)
{
	struct shared_task *shared = &r->shared->tasks[rt->t.index];
	struct compel_region region = { shared->region, shared->region_len, shared->vdso };
	struct restore_thread *first = restore_first_thread(rt);
	int err = rt->leader_ended ? 0 : tidy_up(r, rt);

	if (!err && rt->leader_ends)
		err = see_leader_off(r, rt);
	/* A task that shares another one's memory leaves that to the owner, which is last. */
	for (size_t i = rt->leader_ends + (region.len != 0); !err && i < rt->nr_threads; i++)
		err = compel_set_state(rt->threads[i].id.host_tid, &rt->threads[i].cpu);
	return err || !region.len ? err : compel_finish_begin(first->id.host_tid, &first->cpu, &region, &rt->finish);
}

/*
 * Nothing can be undone any more, and a task that is released with our descriptors would wait forever for their other
 * ends to be closed: a temporary lack of memory or descriptors must not cause that.
 */
static int begin_finish(struct restore *r, struct restore_task *rt)
{
	int err = 0;

	for (unsigned tries = 0; tries < FINISH_TRIES; tries++) {
		err = take_restorer_out(r, rt);
		if (!err)
			break;
		usleep(FINISH_STEP_US << tries); /* style: there is no event for available memory */
	}
	return err;
}

/* The terminal's stop signals have no effect in an orphaned group: setpgid(2). */
static bool orphaned(struct restore *r, const struct restore_task *rt)
{
	struct restore_task *other;

	restore_for_each_task(other, r)
		if (other->t.pgid == rt->t.pgid && other->t.parent && other->t.parent->sid == rt->t.sid &&
		    other->t.parent->pgid != rt->t.pgid)
			return false;
	return true;
}

static int stop_group(struct restore *r, struct restore_task *rt)
{
	_cleanup_free_ pid_t *tids = calloc(rt->nr_threads, sizeof(*tids));
	size_t n = 0;
	struct restore_task *parent = rt->t.parent ? restore_task_of(rt->t.parent) : NULL;

	if (!tids)
		return -ENOMEM;
	for (size_t i = rt->leader_ends; i < rt->nr_threads; i++)
		tids[n++] = rt->threads[i].id.host_tid;
	if (parent && !parent->drop_sigchld)
		parent->drop_sigchld = !sigchld_pending(parent);
	return compel_group_stop(tids, n,
				 rt->t.state == TASK_STOPPED && !orphaned(r, rt) ? rt->t.stop_signal : SIGSTOP);
}

/* While all of the tree is stopped: a thread's stack is used for a moment. */
static void resume_threads(struct restore *r, struct restore_task *rt)
{
	for (const struct task_kind *const *kind = task_kinds; *kind; kind++)
		for (size_t i = rt->leader_ends; (*kind)->resume_thread && i < rt->nr_threads; i++)
			(*kind)->resume_thread(r, rt, &rt->threads[i]);
}

static int release(struct restore *r, struct restore_task *rt)
{
	bool stay = rt->t.state == TASK_STOPPED || r->opts->leave_stopped;
	struct compel_stop stop = { .state = stay ? COMPEL_STOPPED : COMPEL_TRAPPED, .stop_signal = rt->t.stop_signal };
	int first = 0;

	if (stay && stop_group(r, rt))
		log_warn("pid %d could not be stopped again: it runs", rt->t.pid);
	for (size_t i = rt->leader_ends; i < rt->nr_threads; i++) {
		int err = compel_detach(rt->threads[i].id.host_tid, &stop);

		if (err < 0 && !first)
			first = err;
	}
	return first;
}

static void finished(struct restore *r, struct restore_task *rt, int err)
{
	if (err)
		log_warn(
			"pid %d: the restorer could not be removed (errno %d): it runs with our memory mapped, and perhaps with descriptors from %d on",
			rt->t.pid, -err, r->service_base);
	else
		resume_threads(r, rt);
	/* It may still run in there: then the region remains for all that share the memory. */
	if (!err)
		return;
	r->shared->tasks[rt->mm_of->t.index].region_len = 0;
	/* Its threads may still wait for us: once released they are to finish by themselves. The other tasks are stopped. */
	shared_end_tool(r->shared);
}

/* One step for all of them at a time: while one is doing it, the next ones are started. */
static void end_batch(struct restore *r, struct restore_task **batch, size_t n)
{
	for (size_t i = 0; i < n; i++)
		compel_finish_continue(batch[i]->finish);
	for (size_t i = 0; i < n; i++)
		finished(r, batch[i], compel_finish_end(batch[i]->finish));
}

/*
 * Children before parents, the owner of a memory after all that share it: a child must be stopped before its parent is
 * made to consume the notification.
 */
static void finish_all(struct restore *r)
{
	struct restore_task *batch[BATCH];
	size_t n = 0;

	for (struct list *pos = r->plan.tree.tasks.prev; pos != &r->plan.tree.tasks; pos = pos->prev) {
		struct restore_task *rt = restore_task_of(list_entry(pos, struct task, in_tree));
		int err = task_lives(rt) ? begin_finish(r, rt) : 0;

		if (err || (task_lives(rt) && !rt->finish))
			finished(r, rt, err);
		else if (task_lives(rt))
			batch[n++] = rt;
		if (n < BATCH && rt->t.state != TASK_STOPPED)
			continue;
		end_batch(r, batch, n);
		n = 0;
		if (rt->t.state == TASK_STOPPED)
			release(r, rt);
	}
	end_batch(r, batch, n);
}

static void note_pages(struct restore *r)
{
	const struct restorer_counts *counts = &r->shared->state->counts;

	r->stats.restore.pages_restored += atomic_load(&counts->pages_restored);
	r->stats.restore.pages_compared += atomic_load(&counts->pages_compared);
	r->stats.restore.pages_skipped_cow += atomic_load(&counts->pages_inherited);
}

int restore_commit(struct restore *r)
{
	const struct run_kind *kind;
	struct restore_task *rt;
	int err = seize_all(r);

	if (!err)
		err = untrusted_audit(r);
	if (!err)
		err = restore_install_filters(r);
	if (err)
		return err;
	run_for_each_kind(kind)
		if (!err && kind->ready)
			err = kind->ready(r);
	if (!err)
		err = restore_script(r, "pre-resume", r->tool.root_pid);
	run_for_each_kind(kind)
		if (!err && kind->before_commit)
			err = kind->before_commit(r);
	if (!err)
		err = restore_lazy_complete(r);
	if (err)
		return err;
	/* The point of no return. */
	shared_commit(r->shared);
	/* criu-migrate looks for this line: lib/py/criu_migrate/decision.py */
	log_debug("the tree is complete: it survives whatever happens to us");
	/* What it returns has no effect any more. */
	if (r->tool.announces_network)
		restore_script(r, "network-unlock", r->tool.root_pid);
	/* Before any of them runs: no task sees a name that is about to be removed. */
	restore_report_committed(r);
	finish_all(r);
	note_pages(r);
	run_for_each_kind(kind)
		if (kind->complete)
			kind->complete(r);
	restore_for_each_task(rt, r)
		if (task_lives(rt) && rt->t.state != TASK_STOPPED)
			release(r, rt);
	return 0;
}
