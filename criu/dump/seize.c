/* SPDX-License-Identifier: GPL-2.0-only */
/* Stop every thread of the tree. New threads and children may appear while we do it: go on until two passes see none. */
#include <errno.h>
#include <signal.h>
#include "dump/dump.h"
#include "run/dump.h"
#include "util/fds.h"
#include "util/log.h"

/* include/linux/sched.h of the kernel; field flags of proc_pid_stat(5). PF_USER_WORKER: Linux 6.4. */
#define PF_IO_WORKER 0x10
#define PF_USER_WORKER 0x4000

static bool is_known_tid(const struct dump_task *dt, pid_t tid)
{
	for (size_t i = 0; i < dt->nr_threads; i++)
		if (dt->threads[i].id.host_tid == tid)
			return true;
	return false;
}

static int add_thread(struct dump_task *dt, pid_t tid)
{
	struct dump_thread *grown;

	/* Doubling by powers of two: cost per thread stays constant. */
	if (!(dt->nr_threads & (dt->nr_threads - 1))) {
		size_t room = dt->nr_threads ? dt->nr_threads * 2 : 1;

		grown = realloc(dt->threads, room * sizeof(*grown));
		if (!grown)
			return fail(-ENOMEM, "threads of %d", dt->t.host_pid);
		dt->threads = grown;
	}
	dt->threads[dt->nr_threads] = (struct dump_thread){ .id = { tid, tid }, .seized = true };
	dt->nr_threads++;
	return 0;
}

static int dead_or_error(struct dump_task *dt, int err)
{
	struct proc_stat stat;

	if (err != -ESRCH && err != -EPERM)
		return err;
	if (proc_stat_read(&dt->proc, &stat) < 0)
		return -ESRCH;
	if (stat.state == 'Z' || stat.state == 'X') {
		dt->t.state = TASK_DEAD;
		return 0;
	}
	return err;
}

static int seize_failed(struct dump_task *dt, pid_t tid, int err)
{
	struct proc_status status;

	if (err == -ESRCH)
		return fail(err, "there is no task %d", tid);
	if (!proc_status_read(&dt->proc, &status)) {
		pid_t tracer = status.tracer;

		proc_status_free(&status);
		if (tracer)
			return fail(err, "task %d is traced by %d already: detach that debugger first", tid, tracer);
	}
	return fail(err, "stop task %d: we may not trace it", tid);
}

/* A worker that the kernel runs for an io_uring shows up among the threads; it runs nothing of the program's. */
static bool is_kernel_worker(struct dump_task *dt, pid_t tid)
{
	_cleanup_proc_ struct proc proc = PROC_CLOSED;
	struct proc_stat stat;

	return !proc_open_thread(&dt->proc, tid, &proc) && !proc_stat_read(&proc, &stat) &&
	       (stat.flags & (PF_IO_WORKER | PF_USER_WORKER));
}

static int seize_thread(struct dump_task *dt, pid_t tid)
{
	int err = compel_seize(tid, true);

	if (err == -EPERM && tid != dt->t.host_pid && is_kernel_worker(dt, tid))
		return 0;
	if (err == -ESRCH && tid != dt->t.host_pid)
		return 0; /* a thread that has ended meanwhile */
	if (err < 0 && tid == dt->t.host_pid && !dead_or_error(dt, err) && dt->t.state == TASK_DEAD)
		return 0;
	return err < 0 ? seize_failed(dt, tid, err) : add_thread(dt, tid);
}

/* Seize the threads of @dt that are not known yet. Returns how many there were. */
static int seize_new_threads(struct dump_task *dt)
{
	struct pid_array tids = { 0 };
	size_t first = dt->nr_threads;
	int err = proc_threads(&dt->proc, &tids);

	for (size_t i = 0; err >= 0 && i < tids.n; i++) {
		/* Ascending lists: what was seized before is a prefix as a rule, so the search is short. */
		bool known = i < first && dt->threads[i].id.host_tid == tids.v[i];

		if (!known && !is_known_tid(dt, tids.v[i]))
			err = seize_thread(dt, tids.v[i]);
	}
	array_free(&tids);
	return err < 0 ? err : (int)(dt->nr_threads - first);
}

/* What is left of --timeout. */
static unsigned int left_ms(const struct dump *dump)
{
	uint64_t gone = (stats_now() - dump->freeze_start) / 1000, all = dump->opts->timeout_sec * 1000ull;

	if (!all)
		return INT32_MAX;
	return all > gone ? all - gone : 0;
}

static int wait_stops(struct dump *dump, struct dump_task *dt, size_t from)
{
	for (size_t i = from; i < dt->nr_threads; i++) {
		struct dump_thread *th = &dt->threads[i];
		int err = compel_wait_stop_for(th->id.host_tid, left_ms(dump), &th->stop);

		if (err == -ETIMEDOUT)
			return fail(
				err,
				"task %d does not stop: it waits in the kernel for something that no signal interrupts (a child of vfork, a dead file server); --timeout bounds the wait",
				th->id.host_tid);
		if (err < 0)
			return fail(err, "wait for task %d to stop", th->id.host_tid);
		if (th->stop.state == COMPEL_DEAD) {
			/* Ended between the list and the stop: it is no thread of the tree any more. */
			dt->threads[i--] = dt->threads[--dt->nr_threads];
			continue;
		}
		if (th->stop.state == COMPEL_STOPPED && i == 0) {
			dt->t.state = TASK_STOPPED;
			dt->t.stop_signal = th->stop.stop_signal;
		}
	}
	if (!dt->nr_threads)
		dt->t.state = TASK_DEAD;
	return 0;
}

/* One look over the whole tree: seize in one batch, then wait in one batch. Returns how much was new. */
static int seize_pass(struct dump *dump)
{
	struct dump_task *dt;
	int found = 0;

	dump_for_each_task(dt, dump) {
		size_t first = dt->nr_threads;
		int n;

		if (dt->t.state == TASK_DEAD)
			continue;
		n = seize_new_threads(dt);
		if (n == -ENOENT || n == -ESRCH) {
			/* A child that was reaped since its parent listed it: only before the parent was stopped. */
			if (dt->t.parent && !dt->nr_threads) {
				dt->t.state = TASK_DEAD;
				continue;
			}
			return n;
		}
		if (n < 0)
			return n;
		n = wait_stops(dump, dt, first) < 0 ? -ECHILD : n;
		if (n < 0)
			return n;
		found += n;
		n = dump_add_children(dump, dt);
		if (n < 0)
			return n;
		found += n;
	}
	return found;
}

/* With everything at rest: what zombies are left, and numbers in tree order. */
static int settle(struct dump *dump)
{
	struct task *t, *next;
	unsigned index = 0;

	list_for_each_safe(t, next, &dump->tree.tasks, in_tree) {
		struct dump_task *dt = dump_task_of(t);
		int err = dump_read_stat(dt);

		if (err < 0 && t->state == TASK_DEAD && t->parent) {
			dump_drop_task(dump, dt);
			continue;
		}
		if (err < 0)
			return fail(err, "read /proc/%d/stat", t->host_pid);
		t->index = index++;
		if (t->state == TASK_DEAD)
			continue;
		if (dt->threads[0].id.host_tid != t->host_pid)
			return fail(
				-EOPNOTSUPP,
				"process %d goes on without its first thread, which has ended: that cannot be saved yet",
				t->host_pid);
		dt->pidfd = sys_pidfd_open(t->host_pid, 0);
		if (dt->pidfd < 0)
			return fail(dt->pidfd, "pidfd of %d", t->host_pid);
	}
	if (dump->tree.root->state == TASK_DEAD)
		return fail(-ESRCH, "process %d is a zombie: there is nothing left to dump", dump->tree.root->host_pid);
	return 0;
}

int dump_seize(struct dump *dump)
{
	uint64_t start = dump->freeze_start = stats_now();
	struct dump_task *root;
	int quiet = 0, err = dump_add_task(dump, dump->opts->pid, NULL, &root);

	while (!err && quiet < 2) {
		int found = seize_pass(dump);

		if (found < 0)
			return fail(found, "freeze the tree of %d", dump->opts->pid);
		quiet = found ? 0 : quiet + 1;
		err = dump_interrupted(dump);
		if (!err && dump->opts->timeout_sec && stats_now() - start > dump->opts->timeout_sec * 1000000ull)
			err = fail(-ETIMEDOUT,
				   "the tree of %d makes new tasks faster than they are stopped (--timeout)",
				   dump->opts->pid);
	}
	if (!err)
		err = settle(dump);
	dump->stats.dump.freezing_time = stats_now() - start;
	return err;
}
