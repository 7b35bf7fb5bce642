/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Pids and tids as the tree itself sees them. Everything done to processes uses the tool's own numbers (host_pid,
 * host_tid); images contain the tree's (pid, tid). In a single pid namespace both are the same.
 */
#include <errno.h>
#include "dump/dump.h"
#include "run/dump.h"
#include "util/log.h"

static int remember(struct dump *dump, pid_t ours, pid_t theirs)
{
	return ours > 0 && hash_put(&dump->numbers, (uint64_t)ours, (uint64_t)theirs) ? fail(-ENOMEM, "numbers") : 0;
}

static int number_thread(struct dump *dump, struct dump_thread *th)
{
	const struct proc_status *s = &th->status;

	/* The placeholder for a first thread that has exited has the status of another one. */
	if (!th->stand_in)
		th->id.tid = s->levels > dump->pid_level ? s->nspid[dump->pid_level] : 0;
	return th->stand_in ? 0 : remember(dump, th->id.host_tid, th->id.tid);
}

static int number_task(struct dump *dump, struct dump_task *dt)
{
	_cleanup_proc_status_ struct proc_status s = { 0 };
	unsigned level = dump->pid_level;
	int err = proc_status_read(&dt->proc, &s);

	if (dump_is_check(dump) && (err == -ESRCH || err == -ENOENT)) {
		dt->t.state = TASK_DEAD;
		return 0;
	}
	if (err < 0)
		return fail(err, "read /proc/%d/status", dt->t.host_pid);
	if (s.levels <= level) {
		dump_blocker(dump, dt, -1,
			     "is not in the pid namespace of the tree's root: end it, or dump it with its own");
		return 0;
	}
	err = remember(dump, s.nspgid[0], s.nspgid[level]);
	if (!err)
		err = remember(dump, s.nssid[0], s.nssid[level]);
	if (!err)
		err = remember(dump, s.nstgid[0], s.nstgid[level]);
	dt->t.pid = s.nstgid[level];
	dt->t.pgid = s.nspgid[level];
	dt->t.sid = s.nssid[level];
	dt->t.ppid = dt->t.parent ? dt->t.parent->pid : 0;
	for (size_t i = 0; !err && i < dt->nr_threads; i++) {
		err = number_thread(dump, &dt->threads[i]);
		if (dt->threads[i].stand_in)
			dt->threads[i].id.tid = dt->t.pid;
	}
	return err;
}

int dump_number_tasks(struct dump *dump)
{
	struct dump_task *dt;
	int err = 0;

	if (!dump->pid_level)
		return 0;
	dump_for_each_task(dt, dump)
		if (!err)
			err = number_task(dump, dt);
	return err;
}
