// SPDX-License-Identifier: GPL-2.0-only
/* Inside a task: no libc, no globals, direct system calls only. Scheduling attributes of a thread. */
#include <compel/pie.h>
#include "pie/sched_attr.h"
#include "restorer.h"

enum {
	WHO_PROCESS = 0, /* setpriority(2) */
	IOPRIO_WHO_PROCESS = 1,
	NICE_ZERO = 20, /* the system call returns 20 - nice */
	SET_TIMERSLACK = 29,
	GET_TIMERSLACK = 30,
	POLICY_FIFO = 1,
	POLICY_RR = 2,
	POLICY_DEADLINE = 6,
	UTIL_CLAMPS = 0x60, /* SCHED_FLAG_UTIL_CLAMP */
	OLD_SIZE = 48, /* of the struct, before it had clamps */
};

static long set_policy(const struct wire_thread *t)
{
	bool clamped = t->sched_util_min >= 0;
	struct kernel_sched_attr now = { .size = sizeof(now) };
	struct kernel_sched_attr want = { .size = clamped ? sizeof(want) : OLD_SIZE,
					  .policy = (uint32_t)t->sched_policy,
					  .flags = t->sched_flags,
					  .nice = t->sched_nice };

	long err = sys_sched_getattr(0, &now, sizeof(now), 0);
	if (err < 0)
		return err;
	if (want.policy == POLICY_FIFO || want.policy == POLICY_RR)
		want.priority = (uint32_t)t->sched_priority;
	if (want.policy == POLICY_DEADLINE) {
		want.runtime = t->sched_runtime;
		want.deadline = t->sched_deadline;
		want.period = t->sched_period;
	} else if (!clamped && now.policy == want.policy && now.priority == want.priority && now.flags == want.flags) {
		return 0;
	}
	if (clamped) {
		want.flags |= UTIL_CLAMPS;
		want.util_min = (uint32_t)t->sched_util_min;
		want.util_max = (uint32_t)t->sched_util_max;
	}
	return sys_sched_setattr(0, &want, 0);
}

static int restore_slack(const struct wire_thread *t)
{
	if (t->inherited & INHERITED_SLACK)
		return 0;
	if (t->timer_slack_ns && (uint64_t)sys_prctl(GET_TIMERSLACK, 0, 0, 0, 0) != t->timer_slack_ns)
		sys_prctl(SET_TIMERSLACK, t->timer_slack_ns, 0, 0, 0);
	return 0;
}

int restore_sched(struct wire_thread *t)
{
	struct wire_task *task = task_of(t);
	long err;

	if (t->affinity) {
		err = sys_sched_setaffinity(0, t->affinity_len, (const void *)t->affinity);
		/* None of them is in our cpuset: use those that are. */
		if (err < 0 && err != -E_INVAL)
			return restorer_fail(task, err, "set the CPUs that a thread may use");
	}
	if (t->inherited & INHERITED_SCHED)
		return restore_slack(t);
	if (sys_getpriority(WHO_PROCESS, 0) != NICE_ZERO - t->sched_nice) {
		err = sys_setpriority(WHO_PROCESS, 0, t->sched_nice);
		if (err < 0)
			return restorer_fail_nr(task, err, "set the nice value to", t->sched_nice);
	}
	err = set_policy(t);
	if (err < 0)
		return restorer_fail_nr(task, err, "set the scheduling policy to", t->sched_policy);
	if (t->ioprio >= 0 && sys_call2(__NR_ioprio_get, IOPRIO_WHO_PROCESS, 0) != t->ioprio) {
		err = sys_ioprio_set(IOPRIO_WHO_PROCESS, 0, t->ioprio);
		if (err < 0)
			return restorer_fail_nr(task, err, "set the I/O priority to", t->ioprio);
	}
	return restore_slack(t);
}
