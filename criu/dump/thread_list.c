/* SPDX-License-Identifier: GPL-2.0-only */
#include "dump/thread_list.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include "dump/dump.h"
#include "run/dump.h"
#include "util/log.h"

/* include/linux/sched.h: field flags of /proc/PID/stat; PF_USER_WORKER: Linux 6.4. */
#define PF_IO_WORKER 0x10
#define PF_USER_WORKER 0x4000

struct dump_thread *dump_find_thread(const struct dump_task *dt, pid_t tid)
{
	for (size_t i = 0; i < dt->nr_threads; i++)
		if (dt->threads[i].id.host_tid == tid)
			return &dt->threads[i];
	return NULL;
}

int thread_list_add(struct dump_task *dt, pid_t tid)
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

bool dump_is_worker(const struct proc_stat *stat)
{
	return stat->flags & (PF_IO_WORKER | PF_USER_WORKER);
}

/* A thread of the program, not a kernel worker. */
static struct dump_thread *find_own(const struct dump_task *dt)
{
	for (size_t i = 0; i < dt->nr_threads; i++) {
		struct proc_stat stat;

		if (dt->threads[i].id.host_tid != dt->t.pid &&
		    !proc_thread_stat_read(&dt->proc, dt->threads[i].id.host_tid, &stat) && !dump_is_worker(&stat))
			return &dt->threads[i];
	}
	return NULL;
}

/*
 * For /proc and ptrace(2), the tid of a first thread that has exited has no attributes any more: those of the process
 * are queried through one of the other threads, which share them all.
 */
int dump_stand_in(struct dump_task *dt)
{
	int err = thread_list_add(dt, dt->t.host_pid);
	struct dump_thread stand_in, *own = find_own(dt);

	if (err)
		return err;
	if (!own)
		return fail(-EOPNOTSUPP, "process %d has no thread left but kernel workers", dt->t.pid);
	stand_in = *own;
	stand_in.id.tid = dt->t.pid;
	stand_in.seized = false;
	stand_in.stand_in = true;
	dt->threads[dt->nr_threads - 1] = dt->threads[0];
	dt->threads[0] = stand_in;
	dt->t.state = stand_in.stop.state == COMPEL_STOPPED ? TASK_STOPPED : TASK_ALIVE;
	dt->t.stop_signal = stand_in.stop.stop_signal;
	return dump_ask_of(dt, stand_in.id.host_tid);
}

void thread_list_drop(struct dump_task *dt, struct dump_thread *th)
{
	*th = dt->threads[--dt->nr_threads];
}

void thread_list_check_end(struct dump_task *dt)
{
	struct proc_stat stat;
	siginfo_t info;

	/* With other threads left, only the first one has exited, or is about to be replaced (exec). */
	if (proc_stat_read(&dt->proc, &stat) == 0 && (!strchr("ZX", stat.state) || stat.threads > 1))
		return;
	dt->t.state = TASK_DEAD;
	/* If we still trace it, its parent is notified only after we have waited for it. */
	waitid(P_PID, dt->t.host_pid, &info, WEXITED | WNOHANG | __WALL);
}

bool thread_list_take_end(struct dump_thread *th)
{
	siginfo_t info = { 0 };

	if (waitid(P_PID, th->id.host_tid, &info, WEXITED | WNOHANG | WNOWAIT | __WALL) < 0 || !info.si_pid)
		return false;
	if (info.si_code != CLD_EXITED && info.si_code != CLD_KILLED && info.si_code != CLD_DUMPED)
		return false;
	waitid(P_PID, th->id.host_tid, &info, WEXITED | WNOHANG | __WALL);
	th->ended = true;
	return true;
}

void thread_list_take_ends(const struct dump_task *dt)
{
	for (size_t i = 0; i < dt->nr_threads; i++)
		if (!dt->threads[i].ended)
			thread_list_take_end(&dt->threads[i]);
}

int thread_list_drop_ended(struct dump_task *dt)
{
	int dropped = 0;

	for (size_t i = 0; i < dt->nr_threads; i++) {
		if (!dt->threads[i].ended)
			continue;
		thread_list_drop(dt, &dt->threads[i--]);
		dropped++;
	}
	return dropped;
}

int thread_list_take_over(struct dump_task *dt)
{
	const pid_t pid = dt->t.host_pid;
	struct dump_thread *leader = dump_find_thread(dt, pid);

	if (leader && compel_at_rest(pid))
		return 0;
	/* Another thread has called execve(2) since, and we do not trace that one. */
	if (compel_interrupt(pid) < 0) {
		if (leader)
			thread_list_drop(dt, leader);
		return 0;
	}
	if (!leader)
		return thread_list_add(dt, pid);
	leader->stop = (struct compel_stop){ .state = COMPEL_RUNNING };
	return 0;
}
