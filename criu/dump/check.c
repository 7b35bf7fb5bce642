/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The phases of a check that replace seizing and infecting: the tree keeps running. State that only code in the process
 * can read (timers, registers) is not checked. Tasks that exit meanwhile are skipped.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "dump/dump.h"
#include "run/dump.h"
#include "util/fds.h"
#include "util/log.h"

static bool is_gone(int err)
{
	return err == -ESRCH || err == -ENOENT;
}

void dump_foreign_blocker(struct dump *dump, const struct dump_task *dt)
{
	dump_blocker(dump, dt, -1, "32-bit programs are not supported");
}

static void look_at_status(struct dump *dump, struct dump_task *dt)
{
	char comm[16];

	if (proc_status_read(&dt->proc, &dt->status))
		return;
	if (proc_is_32bit(&dt->proc) > 0)
		dump_foreign_blocker(dump, dt);
	dump_filtered_blocker(dump, dt);
	if (&dt->t == dump->tree.root)
		dump_note_pid_ns(dump, dt, &dt->status);
	if (!dt->status.tracer)
		return;
	dump_blocker(dump, dt, -1, "is traced by %d (%s): detach that debugger first", dt->status.tracer,
		     proc_comm_of(dt->status.tracer, comm));
}

/* The first thread has exited, and another one is running. */
static int ask_other_thread(struct dump_task *dt)
{
	struct pid_array tids = { 0 };
	int err = proc_threads(&dt->proc, &tids);
	pid_t other = 0;

	for (size_t i = 0; !err && i < tids.n && !other; i++) {
		struct proc_stat stat;

		if (!proc_thread_stat_read(&dt->proc, tids.v[i], &stat) && !strchr("ZX", stat.state) &&
		    !dump_is_worker(&stat))
			other = tids.v[i];
	}
	array_free(&tids);
	if (!err)
		err = other ? dump_ask_of(dt, other) : -ESRCH;
	return err;
}

static int look_at_task(struct dump *dump, struct dump_task *dt)
{
	int err = dump_read_stat(dt);

	if (is_gone(err)) {
		dt->t.state = TASK_DEAD;
		return 0;
	}
	if (err < 0)
		return fail(err, "read /proc/%d/stat", dt->t.host_pid);
	if (dt->stat.state == 'Z' && dt->stat.threads > 1)
		err = ask_other_thread(dt);
	if (err < 0 && !is_gone(err))
		return err;
	if (is_gone(err) || dt->stat.state == 'Z' || dt->stat.state == 'X') {
		dt->t.state = TASK_DEAD;
		return 0;
	}
	if (dt->stat.state == 'T')
		dt->t.state = TASK_STOPPED;
	dump->asked.kind = "tracer";
	look_at_status(dump, dt);
	if (dt->pidfd < 0)
		dt->pidfd = sys_pidfd_open(dt->t.host_pid, 0);
	if (dt->pidfd < 0 && !is_gone(dt->pidfd))
		return fail(dt->pidfd, "pidfd of %d", dt->t.host_pid);
	if (dt->pidfd < 0)
		dt->t.state = TASK_DEAD;
	return 0;
}

/* Children, and in the end those that entered the pid namespace, are appended to the list that is being walked. */
int dump_check_tree(struct dump *dump)
{
	struct dump_task *dt;
	int err = dump_add_task(dump, dump->opts->pid, NULL, &dt);

	if (err)
		return err;
	dump_for_each_task(dt, dump) {
		LOG_SCOPE("pid %d", dt->t.pid);

		err = look_at_task(dump, dt);
		if (!err && dt->t.state != TASK_DEAD)
			err = dump_add_children(dump, dt);
		if (err >= 0 && dt->t.in_tree.next == &dump->tree.tasks)
			err = dump_add_entered(dump);
		if (err < 0)
			return err;
	}
	if (dump->tree.root->state == TASK_DEAD)
		return fail(-ESRCH, "process %d is a zombie: there is nothing left to dump", dump->opts->pid);
	return 0;
}

int dump_check_fds(struct dump *dump)
{
	struct dump_task *dt;

	dump_for_each_task(dt, dump) {
		int err = dt->t.state != TASK_DEAD && dt->files_owner ? dump_list_fds(dt) : 0;

		if (is_gone(err))
			dt->t.state = TASK_DEAD;
		else if (err)
			return err;
	}
	return 0;
}
