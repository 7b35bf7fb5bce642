/* SPDX-License-Identifier: GPL-2.0-only */
#include "restore/nested.h"
#include <errno.h>
#include <sched.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "kernel/pid_ns.h"
#include "kernel/proc_pid.h"
#include "restore/restore.h"
#include "run/restore.h"
#include "run/user_ns.h"
#include "util/fds.h"
#include "util/log.h"

unsigned restore_set_tids(const struct restore_task *rt, pid_t ret_tids[PID_LEVELS_MAX])
{
	const unsigned depth = rt->t.pid_ns ? rt->t.pid_ns->depth : 0;

	for (unsigned i = 0; i < depth; i++)
		ret_tids[i] = rt->t.inner_pid[depth - 1 - i];
	ret_tids[depth] = rt->t.pid;
	return depth + 1;
}

/* ---- namespaces ---- */

static int await_task(struct restore *r, const struct task *t)
{
	int err = 0;

	while (!err) {
		uint32_t seen = shared_progress(r->shared);

		if (atomic_load(&r->shared->tasks[t->index].pid))
			return 0;
		err = shared_await_progress(r->shared, seen);
	}
	return err;
}

/* Of a process without a place in the tree, children are created there from now on. */
static int enter_for_children(struct restore *r, const struct restore_task *rt, const struct restore_task *by)
{
	const struct task *init = rt->t.pid_ns->init;
	_cleanup_close_ int fd = -1;
	int err = await_task(r, init);

	if (err)
		return err;
	fd = sys_pidfd_open(by ? restore_number_seen(r, by, init->pid) : restore_number_here(r, init->pid), 0);
	if (fd < 0)
		return fail(fd, "pidfd of process %d", init->pid);
	return setns(fd, CLONE_NEWPID) < 0 ? fail(-errno, "enter the pid namespace of process %d", init->pid) : 0;
}

struct empty_pid_ns {
	struct restore *r;
	const struct restore_task *by;
	int fd;
	bool in_the_way;
};

/* A process in the user namespace that is to own it. */
static int keep_empty(void *arg)
{
	struct empty_pid_ns *made = arg;

	made->in_the_way = restore_is_in_the_way(made->r, made->by);
	if (made->in_the_way)
		return 0;
	made->fd = pid_ns_open_for_children();
	return made->fd < 0 ? fail(made->fd, "open a new pid namespace") : 0;
}

/*
 * The owner of a pid namespace is the user namespace of who creates it, where nobody may set numbers in those around. So
 * it is created there, empty, and @by, which is outside and has all rights, creates its first process: it enters that user
 * namespace late.
 */
static int create_for_children(struct restore *r, const struct restore_task *rt, const struct restore_task *by)
{
	const struct ns *ns = rt->t.pid_ns;
	int err;

	do {
		struct empty_pid_ns made = { .r = r, .by = by, .fd = -1 };

		err = restore_run_in((const struct ns *const *)&ns->owner, 1, CLONE_NEWPID, keep_empty, &made);
		if (err || made.in_the_way)
			continue;
		if (setns(made.fd, CLONE_NEWPID) < 0)
			err = fail(-errno, "enter the new pid namespace %u", ns->id);
		close(made.fd);
		return err;
	} while (!err);
	return err;
}

bool restore_creates_pid_ns_apart(const struct restore *r, const struct restore_task *rt)
{
	const struct ns *at = restore_root_is_made_inside(r) ? restore_user_ns(r) : NULL;

	return rt->starts_pid_ns && rt->t.pid_ns->owner != at;
}

static int return_for_children(void)
{
	_cleanup_close_ int fd = sys_pidfd_open(getpid(), 0);

	if (fd < 0)
		return fail(fd, "pidfd of the process itself");
	return setns(fd, CLONE_NEWPID) < 0 ? fail(-errno, "return to its own pid namespace") : 0;
}

/* ---- groups ---- */

/* Another task starts the group. */
static int set_group(struct restore *r, pid_t pid, pid_t group)
{
	int err = 0;

	while (!err) {
		uint32_t seen = shared_progress(r->shared);

		if (!setpgid(pid, group))
			return 0;
		err = errno == EPERM ? shared_await_progress(r->shared, seen) :
				       fail(-errno, "setpgid(%d, %d)", pid, group);
	}
	return err;
}

static int join_before_fork(struct restore *r, const struct restore_task *by)
{
	const pid_t group = restore_number_seen(r, by, by->join_pgid);

	return !group || getpgrp() == group ? 0 : set_group(r, 0, group);
}

int restore_before_fork(struct restore *r, const struct restore_task *rt, const struct restore_task *by)
{
	int err = rt->in_group_of_creator ? join_before_fork(r, by) : 0;

	if (err)
		return err;
	if (restore_creates_pid_ns_apart(r, rt))
		return create_for_children(r, rt, by);
	return rt->enters_pid_ns ? enter_for_children(r, rt, by) : 0;
}

int restore_after_fork(struct restore *r, const struct restore_task *rt, const struct restore_task *by)
{
	int err = by && (rt->enters_pid_ns || restore_creates_pid_ns_apart(r, rt)) ? return_for_children() : 0;

	if (!err && rt->put_in_group)
		err = set_group(r, restore_number_seen(r, by, rt->t.pid), restore_number_seen(r, by, rt->t.pgid));
	if (!err && rt->put_in_group)
		atomic_store(&r->shared->tasks[rt->t.index].put_in_group, 1);
	if (rt->put_in_group || (rt->starts_pid_ns && r->plan.forks_wait))
		shared_note_progress(r->shared);
	return err;
}

int restore_await_group(struct restore *r, const struct restore_task *rt)
{
	int err = 0;

	while (!err && rt->put_in_group) {
		uint32_t seen = shared_progress(r->shared);

		if (atomic_load(&r->shared->tasks[rt->t.index].put_in_group))
			return 0;
		err = shared_await_progress(r->shared, seen);
	}
	return err;
}

/* ---- other processes ---- */

bool restore_is_number_of_tree(struct restore *r, pid_t pid)
{
	uint64_t of;

	/* A zombie has no threads. */
	return hash_get(&r->plan.tids, (uint64_t)pid, &of) || hash_get(&r->plan.task_by_pid, (uint64_t)pid, &of);
}

static bool is_number_in(struct restore *r, const struct ns *ns, pid_t pid)
{
	struct restore_task *rt;
	struct task *helper;

	list_for_each(helper, &r->plan.helpers, in_tree)
		if (restore_number_in(r, ns, helper->pid) == pid)
			return true;
	restore_for_each_task(rt, r) {
		if (restore_number_in(r, ns, rt->t.pid) == pid)
			return true;
		for (size_t i = 0; i < rt->nr_threads; i++)
			if (restore_number_in(r, ns, rt->threads[i].id.tid) == pid)
				return true;
	}
	return false;
}

bool restore_is_in_the_way(struct restore *r, const struct restore_task *by)
{
	const struct ns *ns = by ? by->t.pid_ns : NULL;
	_cleanup_proc_status_ struct proc_status own = { 0 };
	_cleanup_proc_ struct proc self = PROC_CLOSED;

	if (!ns)
		return restore_is_number_of_tree(r, getpid());
	/* What cannot be read is tried again, with another process. */
	if (proc_open_self(&self) || proc_status_read(&self, &own) || own.levels <= ns->depth)
		return true;
	for (unsigned level = own.levels - 1; ns; ns = ns->outer, level--)
		if (is_number_in(r, ns, own.nspid[level]))
			return true;
	return restore_is_number_of_tree(r, own.nspid[own.levels - 1 - by->t.pid_ns->depth]);
}
