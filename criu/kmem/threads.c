// SPDX-License-Identifier: GPL-2.0-only
#include "kmem/threads.h"
#include <errno.h>
#include <string.h>
#include "base/bits.h"
#include "kmem/tasks_reader.h"

#define TO(member) offsetof(struct kernel_thread, member), sizeof(((struct kernel_thread *)0)->member)

#define VALUE(path, member)                               \
	{                                                 \
		0, "task_struct", path, TO(member), false \
	}

static const struct kernel_value values[] = {
	VALUE("thread_pid", pid),
	VALUE("fs", fs),
	VALUE("files", files),
	VALUE("nsproxy", nsproxy),
	VALUE("cgroups", cgroups),
	VALUE("clear_child_tid", clear_child_tid),
	VALUE("timer_slack_ns", timer_slack_ns),
	VALUE("robust_list", robust_list),
	VALUE("pdeath_signal", pdeath_signal),
	VALUE("personality", personality),
	VALUE("sas_ss_sp", altstack_sp),
	VALUE("sas_ss_size", altstack_size),
	VALUE("sas_ss_flags", altstack_flags),
	{ 0, "task_struct", "thread.tls_array", TO(tls), true },
	VALUE("cred", same.cred),
	VALUE("real_cred", same.real_cred),
	VALUE("io_context", same.io_context),
	VALUE("mempolicy", same.policy),
	VALUE("atomic_flags", same.atomic_flags),
	VALUE("thread_info.flags", same.thread_flags),
	VALUE("thread_info.syscall_work", same.syscall_work),
	VALUE("syscall_dispatch.offset", same.dispatch_offset),
	VALUE("syscall_dispatch.len", same.dispatch_len),
	VALUE("policy", same.sched_policy),
	VALUE("static_prio", same.static_prio),
};

_Static_assert(ARRAY_SIZE(values) <= KERNEL_THREAD_VALUES, "struct kernel_tasks_reader has space");

/* Once in a run. */
static int find_values(struct kernel_tasks_reader *r)
{
	int err = r->knows_threads ? 0 : kernel_values_find(r->mem.btf, values, ARRAY_SIZE(values), r->thread_values);

	r->knows_threads = !err;
	return err;
}

/* The list starts, and ends, in the signal_struct. */
static int find_threads(struct kernel_tasks_reader *r, const struct kernel_task *leader, struct kernel_thread *threads,
			size_t n)
{
	const uint64_t head = leader->signal + (uint64_t)r->at.thread_head;
	uint64_t nodes[KERNEL_BATCH_HOPS], at = head;
	size_t found = 0;

	for (;;) {
		int err = kernel_batch_follow(&r->batch, at, nodes);

		for (size_t i = 0; !err && i < KERNEL_BATCH_HOPS; i++) {
			at = nodes[i];
			if (at == head)
				return found == n ? 0 : -ESRCH;
			if (!at || found == n)
				return -ESRCH;
			threads[found++].task = at - (uint64_t)r->at.thread_node;
		}
		if (err)
			return err;
	}
}

/* Finds the level of the pid namespace in which the caller traces. */
static int find_level(const struct kernel_tasks_reader *r, uint64_t *ret)
{
	uint64_t at;
	int err = kernel_memory_task(&r->mem, &at);

	if (!err)
		err = kernel_memory_field(&r->mem, at, r->at.thread_pid, 8, &at);
	return err ? err : kernel_memory_field(&r->mem, at, r->at.pid_level, 4, ret);
}

static void add_value(struct kernel_tasks_reader *r, struct kernel_thread *thread, size_t nr)
{
	const struct kernel_value *v = &values[nr];
	void *to = (char *)thread + v->to;

	if (r->thread_values[nr] >= 0)
		kernel_batch_add(&r->batch, thread->task + (uint64_t)r->thread_values[nr], to, v->len);
	else
		memset(to, 0xff, v->len); /* as unlike all others as possible */
}

int kernel_threads_read(struct kernel_tasks_reader *r, const struct kernel_task *leader, struct kernel_thread *threads,
			size_t n)
{
	uint64_t level;
	int err = find_values(r);

	if (!err)
		err = find_threads(r, leader, threads, n);
	if (!err)
		err = find_level(r, &level);
	if (err)
		return err;
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < ARRAY_SIZE(values); j++)
			add_value(r, &threads[i], j);
	err = kernel_batch_run(&r->batch);
	for (size_t i = 0; !err && i < n; i++) {
		struct kernel_thread *t = &threads[i];
		uint64_t numbers = t->pid + (uint64_t)r->at.pid_numbers + level * (uint64_t)r->at.upid_size;

		kernel_batch_add(&r->batch, t->pid ? numbers + (uint64_t)r->at.upid_nr : 0, &t->tid, sizeof(t->tid));
	}
	return err ? err : kernel_batch_run(&r->batch);
}
