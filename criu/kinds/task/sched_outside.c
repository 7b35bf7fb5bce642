// SPDX-License-Identifier: GPL-2.0-only
/*
 * Scheduling of tasks in a user namespace of their own: policies, priorities, nice values and I/O priorities of threads, and
 * nice values of autogroups, that need CAP_SYS_NICE in the initial user namespace are set by the tool. sched(7)
 */
#include <errno.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "autogroup.h"
#include "kinds/kinds.h"
#include "pie/sched_attr.h"
#include "run/restore.h"
#include "run/user_ns.h"
#include "sched_clamps.h"
#include "util/log.h"

enum {
	POLICY_DEADLINE = 6,
	UTIL_CLAMPS = 0x60, /* SCHED_FLAG_UTIL_CLAMP */
	OLD_SIZE = 48, /* of the struct, before it had clamps */
	IOPRIO_WHO_PROCESS = 1,
};

/* Unset fields are 0, as in what the kernel returns. */
static struct kernel_sched_attr wanted(const ThreadCoreEntry *e, bool clamps)
{
	struct kernel_sched_attr want = { .size = clamps ? sizeof(want) : OLD_SIZE,
					  .policy = e->sched_policy,
					  .flags = e->sched_flags };

	if (want.policy == SCHED_FIFO || want.policy == SCHED_RR)
		want.priority = e->sched_prio;
	else if (want.policy != POLICY_DEADLINE)
		want.nice = e->sched_nice;
	if (want.policy == POLICY_DEADLINE) {
		want.runtime = e->sched_runtime;
		want.deadline = e->sched_deadline;
		want.period = e->sched_period;
	}
	if (clamps) {
		want.flags |= UTIL_CLAMPS;
		want.util_min = e->sched_util_min;
		want.util_max = e->sched_util_max;
	}
	return want;
}

static int set_policy(pid_t tid, const ThreadCoreEntry *e, bool clamps)
{
	struct kernel_sched_attr now = { .size = sizeof(now) }, want = wanted(e, clamps);

	if (syscall(SYS_sched_getattr, tid, &now, sizeof(now), 0) < 0)
		return -errno;
	if (!clamps && want.policy != POLICY_DEADLINE && now.policy == want.policy && now.priority == want.priority &&
	    now.flags == want.flags)
		return 0;
	return syscall(SYS_sched_setattr, tid, &want, 0) < 0 ? -errno : 0;
}

static int set_thread(const struct restore_thread *thread)
{
	const ThreadCoreEntry *e = thread->core->thread_core;
	pid_t tid = thread->id.host_tid;
	int err;

	if (!e)
		return 0;
	if (getpriority(PRIO_PROCESS, (id_t)tid) != e->sched_nice &&
	    setpriority(PRIO_PROCESS, (id_t)tid, e->sched_nice) < 0)
		return fail(-errno, "thread %d: set the nice value to %d", thread->id.tid, e->sched_nice);
	err = set_policy(tid, e, e->has_sched_util_min && e->has_sched_util_max && sched_has_clamps());
	if (err)
		return fail(err, "thread %d: set the scheduling policy to %u", thread->id.tid, e->sched_policy);
	if (e->has_ioprio && syscall(SYS_ioprio_get, IOPRIO_WHO_PROCESS, tid) != (long)e->ioprio &&
	    syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, tid, e->ioprio) < 0)
		return fail(-errno, "thread %d: set the I/O priority to 0x%x", thread->id.tid, e->ioprio);
	return 0;
}

static int set_task(const struct restore_task *task)
{
	LOG_SCOPE("pid %d", task->t.pid);
	int err = autogroup_set_outside(task);

	for (size_t i = task->leader_ends; !err && i < task->nr_threads; i++)
		err = set_thread(&task->threads[i]);
	return err;
}

static int sched_before_commit(struct restore *r)
{
	struct restore_task *task;
	int err = 0;

	restore_for_each_task(task, r)
		if (!err && task->t.state != TASK_DEAD && !task->helper && restore_in_user_ns(task))
			err = set_task(task);
	return err;
}

const struct run_kind sched_run = {
	.name = "scheduling in a user namespace",
	.before_commit = sched_before_commit,
};
