/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * After a failure: kills the processes of this restore, and no others. A pid that a task had may have been reused, and
 * there may be children that are not ours to reap: a shell's background jobs, if it has executed the tool.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "kernel/maps.h"
#include "restore/restore.h"
#include "run/restore.h"
#include "util/fds.h"
#include "util/log.h"
#include "util/proc_root.h"

/* For all killed tasks together. */
#define END_MS 10000

/* The mapping that all processes of one restore have, and no others. */
struct mark {
	uint64_t ino;
	uint32_t dev_major, dev_minor;
};

static int read_maps(pid_t pid, struct maps *ret_maps)
{
	_cleanup_proc_ struct proc proc = PROC_CLOSED;
	int err = proc_open(pid, &proc);

	return err < 0 ? err : maps_read(&proc, ret_maps);
}

static int find_mark(const struct restore *r, struct mark *ret_mark)
{
	_cleanup_maps_ struct maps maps = { 0 };
	const struct kernel_vma *vma;
	int err = read_maps(getpid(), &maps);

	if (err < 0)
		return err;
	vma = maps_find(&maps, (uintptr_t)r->shared->state);
	if (!vma)
		return -ENOENT;
	*ret_mark = (struct mark){ vma->ino, vma->dev_major, vma->dev_minor };
	return 0;
}

/* One that we may not inspect is assumed to be ours, judged by its pid. Zombies have no memory: they have exited. */
static bool is_ours(pid_t pid, const struct mark *mark)
{
	_cleanup_maps_ struct maps maps = { 0 };
	int err = read_maps(pid, &maps);

	for (size_t i = 0; !err && i < maps.n; i++)
		if (maps.v[i].ino == mark->ino && maps.v[i].dev_major == mark->dev_major &&
		    maps.v[i].dev_minor == mark->dev_minor)
			return true;
	return err == -EACCES || err == -EPERM;
}

/*
 * A pidfd of the task @pid if it is ours and has not exited, or a negative errno. It prevents confusion with a reused
 * pid.
 */
static int hold_task(pid_t pid, const struct mark *mark)
{
	_cleanup_close_ int pidfd = pid > 0 ? sys_pidfd_open(pid, 0) : -ESRCH;

	if (pidfd < 0)
		return pidfd;
	return is_ours(pid, mark) ? steal_fd(&pidfd) : -ESRCH;
}

static void kill_task(pid_t pid, const struct mark *mark)
{
	_cleanup_close_ int pidfd = hold_task(pid, mark);
	int err = pidfd < 0 ? 0 : sys_pidfd_send_signal(pidfd, SIGKILL);

	if (err < 0 && err != -ESRCH)
		log_warn("process %d of the failed restore cannot be killed (errno %d)", pid, -err);
}

/* If it is a child of ours, or we trace it; __WALL: traced threads report their exit to us, too. */
static void reap(pid_t pid)
{
	int status;

	for (;;) {
		pid_t got = waitpid(pid, &status, __WALL);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0 || WIFEXITED(status) || WIFSIGNALED(status))
			return;
	}
}

/* The leader's exit is reported after that of its traced threads. The tid of a missing thread may have been reused. */
static void reap_task(const struct restore *r, const struct restore_task *rt, pid_t pid)
{
	char name[64];

	for (size_t i = 1; i < rt->nr_threads; i++) {
		pid_t tid = restore_number_here(r, rt->threads[i].id.tid);

		snprintf(name, sizeof(name), "%d/task/%d", pid, tid);
		if (tid > 0 && !faccessat(proc_root(), name, F_OK, 0))
			reap(tid);
	}
	reap(pid);
}

/* The pid for the task in this slot of the shared memory; 0 or less: it has not been created, or has exited. */
static pid_t pid_of_slot(const struct restore *r, size_t slot)
{
	pid_t pid = atomic_load(&r->shared->tasks[slot].pid);

	/* Pids of a namespace that was not found mean other processes here. Its init is known, and ends the others. */
	if (restore_has_pid_ns(r) && r->tool.pid_ns < 0)
		return slot == r->plan.tree.root->index ? atomic_load(&r->shared->birth->root_pid) : 0;
	return pid > 0 ? restore_number_here(r, pid) : pid;
}

/* Processes that are not our children exit on their own. */
static void await_end(pid_t pid, const struct mark *mark, uint64_t until)
{
	_cleanup_close_ int pidfd = hold_task(pid, mark);
	struct pollfd ended = { .fd = pidfd, .events = POLLIN };
	uint64_t now = stats_now();

	if (pidfd >= 0 && poll(&ended, 1, now < until ? (int)((until - now) / 1000) : 0) == 0)
		log_warn("process %d of the failed restore has been killed, but has not exited yet", pid);
}

/* How deep the pid namespace is nested that it is the init of: that of the root is 0. -1: it is none. */
static int init_depth(const struct restore *r, const struct restore_task *rt)
{
	if (rt->t.pid_ns)
		return rt->starts_pid_ns ? (int)rt->t.pid_ns->depth : -1;
	return restore_has_pid_ns(r) && &rt->t == r->plan.tree.root ? 0 : -1;
}

/* Those that are the init of a namespace nested as deep as this; -1: all others. */
static void reap_all(struct restore *r, int depth)
{
	struct restore_task *rt;

	restore_for_each_task_upwards(rt, r) if (init_depth(r, rt) == depth && pid_of_slot(r, rt->t.index) > 0)
		reap_task(r, rt, pid_of_slot(r, rt->t.index));
}

void restore_kill_all(struct restore *r)
{
	size_t nr = r->plan.tree.nr_tasks + r->plan.nr_helpers;
	uint64_t until = stats_now() + END_MS * 1000ull;
	struct restore_task *rt;
	int deepest = 0;
	struct mark mark;
	int err = r->shared ? find_mark(r, &mark) : 0;

	if (!r->shared)
		return;
	/* From here on no task creates another one, and waits are aborted. */
	shared_fail(r->shared, -ECANCELED);
	if (err < 0) {
		log_warn("read our own memory map (errno %d): the rest of the tree exits by itself", -err);
		return;
	}
	for (size_t i = 0; i < nr; i++)
		kill_task(pid_of_slot(r, i), &mark);
	/* The init of a pid namespace exits only after those in it that we trace have been waited for. */
	reap_all(r, -1);
	restore_for_each_task(rt, r)
		deepest = MAX_OF(deepest, init_depth(r, rt));
	for (int depth = deepest; depth >= 0; depth--)
		reap_all(r, depth);
	for (size_t i = 0; i < nr; i++)
		await_end(pid_of_slot(r, i), &mark, until);
}
