/* SPDX-License-Identifier: GPL-2.0-only */
/* Stops every thread of the tree. New threads and children may appear meanwhile: repeat until two passes find none. */
#include <errno.h>
#include <poll.h>
#include "dump/dump.h"
#include "run/dump.h"
#include "run/freezer.h"
#include "util/fds.h"
#include "util/log.h"

/* One pass over the whole tree: seize in one batch, then wait in one batch. Returns how many were new. */
static int seize_pass(struct dump *dump)
{
	struct dump_task *dt;
	int found = 0;

	dump_for_each_task(dt, dump) {
		int n;

		if (dt->t.state == TASK_DEAD)
			continue;
		n = dump_stop_threads(dump, dt);
		if (n == -ENOENT || n == -ESRCH) {
			/*
			 * A child that was reaped after its parent was listed: possible only before the parent was
			 * stopped. Or one that entered the pid namespace, whose parent is not in the tree.
			 */
			if (&dt->t != dump->tree.root && !dt->nr_threads) {
				dt->t.state = TASK_DEAD;
				continue;
			}
			return n;
		}
		if (n < 0)
			return n;
		found += n;
		dt->all_stopped = !n;
		dt->childless &= !n;
		n = dump_add_children(dump, dt);
		if (n < 0)
			return n;
		found += n;
	}
	return found;
}

static void put_leader_first(struct dump_task *dt)
{
	struct dump_thread *leader = dump_find_thread(dt, dt->t.host_pid), was;

	if (!leader || leader == dt->threads)
		return;
	was = dt->threads[0];
	dt->threads[0] = *leader;
	*leader = was;
}

static int open_pidfd(struct dump_task *dt)
{
	dt->pidfd = sys_pidfd_open(dt->t.host_pid, 0);
	return dt->pidfd < 0 ? fail(dt->pidfd, "pidfd of %d", dt->t.host_pid) : 0;
}

/* With everything stopped: which zombies there are, and numbers in tree order. */
static int settle(struct dump *dump)
{
	struct task *t, *next;
	unsigned index = 0;

	list_for_each_safe(t, next, &dump->tree.tasks, in_tree) {
		struct dump_task *dt = dump_task_of(t);
		int err = dump_read_stat(dt);

		/* Of a process that entered the namespace, only the parent outside sees that it has exited. */
		if (t->state == TASK_DEAD && t != dump->tree.root && (err < 0 || !t->parent)) {
			dump_drop_task(dump, dt);
			continue;
		}
		if (err < 0)
			return fail(err, "read /proc/%d/stat", t->host_pid);
		t->index = index++;
		if (t->state == TASK_DEAD)
			continue;
		put_leader_first(dt);
		if (!dt->nr_threads)
			return fail(-ESRCH, "process %d has no thread left, and is no zombie", t->host_pid);
		err = dt->threads[0].id.host_tid == t->host_pid ? open_pidfd(dt) : dump_stand_in(dt);
		if (err < 0)
			return err;
	}
	if (dump->tree.root->state == TASK_DEAD)
		return fail(-ESRCH, "process %d is a zombie: there is nothing left to dump", dump->tree.root->host_pid);
	return 0;
}

/* /proc finds threads by their tids, too. */
static int check_is_process(struct dump *dump, const struct dump_task *root)
{
	_cleanup_proc_status_ struct proc_status status = { 0 };
	int err = proc_status_read(&root->proc, &status);

	if (!err && status.tgid != root->t.host_pid)
		err = fail(-EINVAL, "%d is a thread of process %d: use -t %d", root->t.host_pid, status.tgid,
			   status.tgid);
	else if (err < 0)
		err = fail(err, "read /proc/%d/status", root->t.host_pid);
	return err ? err : dump_note_pid_ns(dump, root, &status);
}

static int freeze(struct dump *dump)
{
	struct dump_task *root;
	int quiet = 0, err = dump_add_task(dump, dump->opts->pid, NULL, &root);

	if (!err)
		err = check_is_process(dump, root);

	while (!err && quiet < 2) {
		int found = seize_pass(dump);

		if (!found)
			found = dump_add_entered(dump);
		if (found < 0)
			return found == -ETIMEDOUT || found == -EINTR ?
				       found :
				       fail(found, "freeze the tree of %d", dump->opts->pid);
		quiet = found ? 0 : quiet + 1;
		err = dump_interrupted(dump);
		if (!err && dump->opts->timeout_sec &&
		    stats_now() - dump->freeze_start > dump->opts->timeout_sec * 1000000ull)
			err = fail(-ETIMEDOUT,
				   "the tree of %d creates new tasks faster than they can be stopped (--timeout)",
				   dump->opts->pid);
	}
	return err;
}

/* ---- --freeze-cgroup ---- */

/* Between two checks: notifications of the kernel come late. */
#define FROZEN_STEP_MS 1
/* Without --timeout. */
#define FREEZE_AT_MOST_US 10000000u

static int await_frozen(struct dump *dump)
{
	uint64_t limit = dump->opts->timeout_sec ? dump->opts->timeout_sec * 1000000ull : FREEZE_AT_MOST_US;

	while (1) {
		int frozen = freezer_is_frozen(dump), err = frozen < 0 ? frozen : dump_interrupted(dump);

		if (frozen || err)
			return err;
		if (stats_now() - dump->freeze_start > limit)
			return fail(-ETIMEDOUT, "freeze the cgroup %s (--freeze-cgroup)", dump->opts->freeze_cgroup);
		poll(NULL, 0, FROZEN_STEP_MS);
	}
}

/* While the group is frozen, parents do not change. */
static bool descends_from_root(const struct dump *dump, pid_t pid)
{
	while (pid > 0 && pid != dump->opts->pid) {
		_cleanup_proc_ struct proc proc = PROC_CLOSED;
		struct proc_stat stat = { 0 };

		if (proc_open(pid, &proc) || proc_stat_read(&proc, &stat))
			return false;
		pid = stat.ppid;
	}
	return pid > 0;
}

static int seize_frozen(struct dump *dump, int pid)
{
	_cleanup_proc_ struct proc proc = PROC_CLOSED;
	struct pid_array tids = { 0 };
	int err = 0;

	if (!descends_from_root(dump, pid) || proc_open(pid, &proc) || proc_threads(&proc, &tids))
		return 0;
	/* One that cannot be seized is named by the pass that stops them. */
	for (size_t i = 0; !err && i < tids.n; i++)
		if (!compel_seize(tids.v[i], true))
			err = array_add(dump->attached, tids.v[i]);
	array_free(&tids);
	return err;
}

/* A thread of a frozen group of version 1 reports its stop when it is thawed, before it runs. */
static int freeze_by_cgroup(struct dump *dump)
{
	int err = freezer_begin(dump);

	if (!err)
		err = await_frozen(dump);
	if (err || !freezer_hides_stops(dump))
		return err;
	err = freezer_each_process(dump, seize_frozen);
	return err ? fail(err, "seize the processes in the cgroup %s", dump->opts->freeze_cgroup) : freezer_thaw(dump);
}

int dump_seize(struct dump *dump)
{
	struct dump_stopping was;
	/* From here to dump_stop_end() a SIGALRM is ours. */
	int err = dump_interrupted(dump);

	if (err)
		return err;
	dump->freeze_start = stats_now();
	dump_stop_begin(dump, &was);
	err = dump->opts->freeze_cgroup ? freeze_by_cgroup(dump) : 0;
	if (!err)
		err = freeze(dump);
	if (!err)
		err = freezer_thaw(dump);
	dump_stop_end(&was);
	if (!err)
		err = settle(dump);
	dump->stats.dump.freezing_time = stats_now() - dump->freeze_start;
	return err;
}
