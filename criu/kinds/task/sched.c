// SPDX-License-Identifier: GPL-2.0-only
/* Scheduling of a thread: policy, priority, nice, CPU affinity, I/O priority, timer slack, memory policy. sched(7) */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/bits.h"
#include "core_image.h"
#include "kinds/kinds.h"
#include "memory/memory.h"
#include "pie/sched_attr.h"
#include "run/dump.h"
#include "run/obstacles.h"
#include "run/restore.h"
#include "run/user_ns.h"
#include "sched_clamps.h"
#include "util/log.h"
#include "util/proc_root.h"

#ifndef PR_SCHED_CORE
#define PR_SCHED_CORE 62
#endif
#define UTIL_SYSCTL "sys/kernel/sched_util_clamp_max" /* in /proc; exists if the kernel has clamps */

enum {
	POLICY_DEADLINE = 6,
	POLICY_EXT = 7,
	FLAGS_KEPT = 7, /* RESET_ON_FORK, RECLAIM, DL_OVERRUN */
	RT_PRIO_MAX = 99,
	MASK_BYTES = 1024, /* 8192 CPUs */
	IOPRIO_CLASS_SHIFT = 13,
	IOPRIO_CLASS_REALTIME = 1,
	IOPRIO_CLASS_MAX = 3,
	UTIL_MAX = 1024,
	CORE_GET = 0, /* PR_SCHED_CORE_GET */
	WORTH_ASKING = 8, /* threads */
};

/* Of this machine; libc reads files in /sys each time. */
static long cpus(int name)
{
	static long online, configured;
	long *n = name == _SC_NPROCESSORS_ONLN ? &online : &configured;

	if (!*n)
		*n = sysconf(name);
	return *n;
}

bool sched_has_clamps(void)
{
	static int known; /* 1: yes, -1: no */

	if (!known)
		known = faccessat(proc_root(), UTIL_SYSCTL, F_OK, 0) ? -1 : 1;
	return known > 0;
}

/* ---- dump ---- */

/* The mask, or all ones if it excludes no CPU that is online here: a larger machine may have more. */
static int save_affinity(struct dump *dump, pid_t tid, ThreadCoreEntry *tce)
{
	uint8_t mask[MASK_BYTES] = { 0 };
	long len = syscall(SYS_sched_getaffinity, tid, sizeof(mask), mask), allowed = 0;
	uint8_t *v;

	if (len < 0)
		return fail(-errno, "thread %d: its CPUs", tid);
	for (long i = 0; i < len; i++)
		allowed += __builtin_popcount(mask[i]);
	if (allowed >= cpus(_SC_NPROCESSORS_ONLN))
		memset(mask, 0xff, (size_t)len);
	v = dump_alloc(dump, (size_t)len);
	if (!v)
		return no_memory("CPU mask");
	memcpy(v, mask, (size_t)len);
	tce->has_affinity = true;
	tce->affinity.data = v;
	tce->affinity.len = (size_t)len;
	return 0;
}

/* Unset clamps are not saved. Unsupported clamps look like a clamp to 0. */
static void save_clamps(const struct kernel_sched_attr *a, ThreadCoreEntry *tce)
{
	bool rt = a->policy == SCHED_FIFO || a->policy == SCHED_RR;

	if (a->util_min == (rt ? UTIL_MAX : 0) && a->util_max == UTIL_MAX)
		return;
	if (!a->util_min && !a->util_max && !sched_has_clamps())
		return;
	tce->has_sched_util_min = tce->has_sched_util_max = true;
	tce->sched_util_min = a->util_min;
	tce->sched_util_max = a->util_max;
}

static int save_policy(const struct dump_thread *thread, ThreadCoreEntry *tce)
{
	struct kernel_sched_attr a = { .size = sizeof(a) };
	pid_t tid = thread->id.host_tid;

	if (syscall(SYS_sched_getattr, tid, &a, sizeof(a), 0))
		return fail(-errno, "thread %d: its scheduling", tid);
	tce->has_sched_policy = true;
	tce->sched_policy = a.policy;
	save_clamps(&a, tce);
	if (a.policy == SCHED_FIFO || a.policy == SCHED_RR) {
		tce->has_sched_prio = true;
		tce->sched_prio = a.priority;
	}
	if (a.flags & FLAGS_KEPT) {
		tce->has_sched_flags = true;
		tce->sched_flags = (uint32_t)a.flags & FLAGS_KEPT;
	}
	if (a.policy == POLICY_DEADLINE) {
		tce->has_sched_runtime = tce->has_sched_deadline = tce->has_sched_period = true;
		tce->sched_runtime = a.runtime;
		tce->sched_deadline = a.deadline;
		tce->sched_period = a.period;
	}
	/* Missing from the attributes of a real-time thread, but restored with the policy. */
	tce->has_sched_nice = true;
	tce->sched_nice = (int32_t)thread->stat.nice;
	return 0;
}

/* Which threads may share the two halves of a core. Most kernels lack this, or have no such cores. */
static int sched_survey(struct dump *dump, struct dump_task *task)
{
	void **none = dump_kind_data(dump, &sched_kind);

	for (size_t i = 0; !*none && i < task->nr_threads; i++) {
		pid_t tid = task->threads[i].id.host_tid;
		unsigned long cookie = 0;

		if (prctl(PR_SCHED_CORE, CORE_GET, tid, 0, &cookie)) {
			/* Not supported by the kernel or the machine: no thread has one. */
			if (errno == EINVAL || errno == ENODEV)
				*none = dump;
			return 0;
		}
		if (cookie)
			dump_blocker(
				dump, task, -1,
				"thread %d: has a core scheduling cookie (PR_SCHED_CORE), which is not supported: run it "
				"without (coresched)",
				tid);
	}
	return 0;
}

static int sched_save_thread(struct dump *dump, struct dump_task *task, struct dump_thread *thread, CoreEntry *core)
{
	ThreadCoreEntry *tce = core->thread_core;
	pid_t tid = thread->id.host_tid;

	struct policy_fields policy;
	int err = save_policy(thread, tce);
	if (!err)
		err = save_affinity(dump, tid, tce);
	if (err)
		return err;
	if (thread->parasite.ioprio > 0) {
		tce->has_ioprio = true;
		tce->ioprio = (uint32_t)thread->parasite.ioprio;
	}
	/* 0: a real-time thread, which has none. */
	if (thread->parasite.timer_slack_ns) {
		tce->has_timer_slack_ns = true;
		tce->timer_slack_ns = thread->parasite.timer_slack_ns;
	}
	err = memory_save_policy(dump, &thread->parasite.policy, &policy);
	if (err || !policy.is_set)
		return err;
	tce->has_mempolicy = true;
	tce->mempolicy = policy.mode;
	tce->has_mempolicy_nodes = policy.nodes.len != 0;
	tce->mempolicy_nodes = policy.nodes;
	return 0;
}

/* ---- restore ---- */

static int check_rt(pid_t tid, const ThreadCoreEntry *e)
{
	bool rt = e->has_sched_policy && (e->sched_policy == SCHED_FIFO || e->sched_policy == SCHED_RR);

	if (rt && (e->sched_prio < 1 || e->sched_prio > RT_PRIO_MAX))
		return core_refuse(tid, "thread_core.sched_prio %u: a real-time priority is 1 to %d", e->sched_prio,
				   RT_PRIO_MAX);
	if (e->has_sched_policy && e->sched_policy == POLICY_DEADLINE &&
	    (!e->sched_runtime || e->sched_runtime > e->sched_deadline))
		return core_refuse(tid, "thread_core.sched_runtime, sched_deadline: SCHED_DEADLINE without its times");
	return 0;
}

/* The first thread has its memory policy before it makes the others. */
static void note_inherited(const struct fresh_child *f, const struct restore_task *task, struct wire_thread *w)
{
	const ThreadCoreEntry *first = task->threads[0].core->thread_core;

	if (f->sched_known && w->sched_policy == (int32_t)f->sched_policy && w->sched_nice == f->nice &&
	    !w->sched_flags && w->sched_util_min < 0 && (w->ioprio < 0 || w->ioprio == f->ioprio))
		w->inherited |= INHERITED_SCHED;
	if (f->sched_known && (!w->timer_slack_ns || w->timer_slack_ns == f->timer_slack_ns))
		w->inherited |= INHERITED_SLACK;
	if (f->default_mempolicy && !w->policy && !first->has_mempolicy)
		w->inherited |= INHERITED_MEMPOLICY;
}

/* Without the capability: what the tool has itself, and its limits allow. */
static bool may_have_nice(int nice)
{
	struct rlimit limit;

	if (nice >= getpriority(PRIO_PROCESS, 0))
		return true;
	return !getrlimit(RLIMIT_NICE, &limit) && (limit.rlim_cur >= 40 || nice >= 20 - (int)limit.rlim_cur);
}

static bool may_have_policy(int policy, uint32_t priority)
{
	struct sched_param own = { 0 };
	struct rlimit limit;

	if (policy == POLICY_DEADLINE)
		return false;
	if (policy != SCHED_FIFO && policy != SCHED_RR)
		return true;
	if (!getrlimit(RLIMIT_RTPRIO, &limit) && limit.rlim_cur >= priority)
		return true;
	return (sched_getscheduler(0) & ~SCHED_RESET_ON_FORK) == policy && !sched_getparam(0, &own) &&
	       own.sched_priority >= (int)priority;
}

static int check_rights(struct restore *r, pid_t tid, const ThreadCoreEntry *e)
{
	const struct rights *tool = &r->tool.rights;

	if (rights_may(tool, RIGHT_SCHEDULE))
		return 0;
	if (e->has_sched_nice && !may_have_nice(e->sched_nice))
		return rights_need(tool, RIGHT_SCHEDULE, "core-%d.img: thread_core.sched_nice %d", tid, e->sched_nice);
	if (e->has_sched_policy && !may_have_policy((int)e->sched_policy, e->has_sched_prio ? e->sched_prio : 0))
		return rights_need(tool, RIGHT_SCHEDULE, "core-%d.img: thread_core.sched_policy %u", tid,
				   e->sched_policy);
	if (e->has_ioprio && e->ioprio >> IOPRIO_CLASS_SHIFT == IOPRIO_CLASS_REALTIME)
		return rights_need(tool, RIGHT_SCHEDULE, "core-%d.img: thread_core.ioprio 0x%x", tid, e->ioprio);
	return 0;
}

static int sched_load_thread(struct restore *r, struct restore_task *task, struct restore_thread *thread)
{
	const ThreadCoreEntry *e = thread->core->thread_core;
	pid_t tid = thread->id.tid;

	if (!e)
		return 0;
	if (e->has_sched_policy && (e->sched_policy > POLICY_EXT || e->sched_policy == 4))
		return core_refuse(tid, "thread_core.sched_policy %u", e->sched_policy);
	if (e->has_sched_nice && (e->sched_nice < -20 || e->sched_nice > 19))
		return core_refuse(tid, "thread_core.sched_nice %d", e->sched_nice);
	if (e->has_sched_flags && (e->sched_flags & ~(uint32_t)FLAGS_KEPT))
		return core_refuse(tid, "thread_core.sched_flags 0x%x", e->sched_flags);
	if (e->has_affinity && (!e->affinity.len || e->affinity.len > MASK_BYTES))
		return core_refuse(tid, "thread_core.affinity has %zu bytes", e->affinity.len);
	if (e->has_ioprio && (e->ioprio > UINT16_MAX || e->ioprio >> IOPRIO_CLASS_SHIFT > IOPRIO_CLASS_MAX))
		return core_refuse(tid, "thread_core.ioprio 0x%x", e->ioprio);
	if (e->has_mempolicy && !memory_good_policy(e->mempolicy, &e->mempolicy_nodes))
		return core_refuse(tid, "thread_core.mempolicy 0x%x", e->mempolicy);
	if (e->sched_util_min > UTIL_MAX || e->sched_util_max > UTIL_MAX || e->sched_util_min > e->sched_util_max)
		return core_refuse(tid, "thread_core.sched_util_min %u, sched_util_max %u", e->sched_util_min,
				   e->sched_util_max);
	int err = check_rt(tid, e);
	if (!err)
		err = restore_continues(r, check_rights(r, tid, e));
	err = err ? err : fresh_child_need(&r->plan.fresh_child, FRESH_SCHED);
	/* The question costs more than a few calls. */
	if (!err && r->plan.tids.n >= WORTH_ASKING)
		err = fresh_child_need(&r->plan.fresh_child, FRESH_CPUS);
	return err;
}

static bool all_ones(const ProtobufCBinaryData *mask)
{
	for (size_t i = 0; i < mask->len; i++)
		if (mask->data[i] != 0xff)
			return false;
	return true;
}

/* A mask with only CPUs that are missing here would be rejected: use all CPUs instead. */
static bool is_usable(const ProtobufCBinaryData *mask)
{
	size_t here = (size_t)cpus(_SC_NPROCESSORS_CONF);

	for (size_t cpu = 0; cpu < here && cpu / 8 < mask->len; cpu++)
		if (mask->data[cpu / 8] & 1u << cpu % 8)
			return true;
	return false;
}

/* The part of the mask that a cpuset permits: the kernel silently ignores the rest, or rejects the whole mask. */
static void warn_of_cpuset(pid_t tid, const uint8_t want[MASK_BYTES])
{
	uint8_t before[MASK_BYTES] = { 0 }, got[MASK_BYTES] = { 0 };
	long len = syscall(SYS_sched_getaffinity, 0, sizeof(before), before);
	bool refused = len > 0 && syscall(SYS_sched_setaffinity, 0, MASK_BYTES, want);
	size_t lost = 0, here = (size_t)cpus(_SC_NPROCESSORS_CONF);

	if (len <= 0 || refused) {
		log_warn(
			"thread %d: its CPUs are not available here (a cpuset, or they are offline): it may use all CPUs of "
			"the cpuset",
			tid);
		return;
	}
	syscall(SYS_sched_getaffinity, 0, sizeof(got), got);
	syscall(SYS_sched_setaffinity, 0, len, before);
	for (size_t cpu = 0; cpu < here && cpu < (size_t)MASK_BYTES * 8; cpu++)
		lost += (want[cpu / 8] & ~got[cpu / 8]) >> cpu % 8 & 1;
	if (lost)
		log_warn(
			"thread %d: %zu of its CPUs are not available here (a cpuset, or they are offline): it uses the others",
			tid, lost);
}

/* The threads of a process usually have the same mask. */
static int share_mask(const uint8_t mask[MASK_BYTES], struct wire_thread *wire)
{
	const struct wire_thread *before = wire->index ? wire - 1 : NULL;
	void *v = before ? (void *)(uintptr_t)before->affinity : NULL;

	if (!v || memcmp(v, mask, MASK_BYTES)) {
		v = wire_alloc((struct wire_task *)(uintptr_t)wire->task, MASK_BYTES);
		if (!v)
			return no_memory("CPU mask");
		memcpy(v, mask, MASK_BYTES);
	}
	wire->affinity = (uint64_t)(uintptr_t)v;
	wire->affinity_len = MASK_BYTES;
	return 0;
}

static int build_affinity(const struct fresh_child *fresh, pid_t tid, const ProtobufCBinaryData *mask,
			  struct wire_thread *wire)
{
	bool any = all_ones(mask) || !is_usable(mask);
	uint8_t v[MASK_BYTES];

	if (any && !all_ones(mask))
		log_warn("thread %d ran on CPUs that this machine does not have: it may now use all CPUs", tid);
	if (any && fresh->all_cpus)
		return 0;
	memset(v, any ? 0xff : 0, MASK_BYTES);
	if (!any)
		memcpy(v, mask->data, mask->len);
	if (!any)
		warn_of_cpuset(tid, v);
	return share_mask(v, wire);
}

static void build_clamps(pid_t tid, const ThreadCoreEntry *e, struct wire_thread *wire)
{
	bool have = e->has_sched_util_min && e->has_sched_util_max;

	if (have && faccessat(proc_root(), UTIL_SYSCTL, F_OK, 0)) {
		log_warn("thread %d: its utilization clamps (%u to %u) are lost: not supported by this kernel", tid,
			 e->sched_util_min, e->sched_util_max);
		have = false;
	}
	wire->sched_util_min = have ? (int32_t)e->sched_util_min : -1;
	wire->sched_util_max = have ? (int32_t)e->sched_util_max : -1;
}

static int build_policy(pid_t tid, const ThreadCoreEntry *e, struct wire_thread *wire)
{
	char whose[32];

	if (!e->has_mempolicy)
		return 0;
	snprintf(whose, sizeof(whose), "thread %d", tid);
	return memory_lay_policy((struct wire_task *)(uintptr_t)wire->task, whose, e->mempolicy, &e->mempolicy_nodes,
				 &wire->policy);
}

static int sched_hand_over_thread(struct restore *r, struct restore_task *task, struct restore_thread *thread,
				  struct wire_thread *wire)
{
	const ThreadCoreEntry *e = thread->core->thread_core;

	wire->sched_policy = e->has_sched_policy ? (int32_t)e->sched_policy : 0;
	wire->sched_priority = (int32_t)e->sched_prio;
	wire->sched_nice = e->sched_nice;
	wire->sched_flags = e->sched_flags;
	wire->sched_runtime = e->sched_runtime;
	wire->sched_deadline = e->sched_deadline;
	wire->sched_period = e->sched_period;
	wire->ioprio = e->has_ioprio ? (int32_t)e->ioprio : -1;
	wire->timer_slack_ns = e->timer_slack_ns;
	build_clamps(thread->id.tid, e, wire);
	int err = build_policy(thread->id.tid, e, wire);
	if (err)
		return err;
	note_inherited(&r->plan.fresh_child, task, wire);
	/* A task may not do that itself: sched_outside.c */
	if (restore_in_user_ns(task))
		wire->inherited |= INHERITED_SCHED;
	return e->has_affinity ? build_affinity(&r->plan.fresh_child, thread->id.tid, &e->affinity, wire) : 0;
}

const struct task_kind sched_kind = {
	.name = "sched",
	.survey = sched_survey,
	.save_thread = sched_save_thread,
	.load_thread = sched_load_thread,
	.hand_over_thread = sched_hand_over_thread,
};
