// SPDX-License-Identifier: GPL-2.0-only
#include "kmem/threads.h"
#include <errno.h>
#include <string.h>
#include "base/bits.h"
#include "kmem/tasks_reader.h"

/* A field of task_struct, and where it is stored. */
struct value {
	const char *path;
	size_t to, len;
};

#define TO(member) offsetof(struct kernel_thread, member), sizeof(((struct kernel_thread *)0)->member)

static const struct value values[] = {
	{ "thread_pid", TO(pid) },
	{ "fs", TO(fs) },
	{ "files", TO(files) },
	{ "nsproxy", TO(nsproxy) },
	{ "cgroups", TO(cgroups) },
	{ "clear_child_tid", TO(clear_child_tid) },
	{ "timer_slack_ns", TO(timer_slack_ns) },
	{ "robust_list", TO(robust_list) },
	{ "pdeath_signal", TO(pdeath_signal) },
	{ "personality", TO(personality) },
	{ "sas_ss_sp", TO(altstack_sp) },
	{ "sas_ss_size", TO(altstack_size) },
	{ "sas_ss_flags", TO(altstack_flags) },
	{ "cred", TO(same.cred) },
	{ "real_cred", TO(same.real_cred) },
	{ "io_context", TO(same.io_context) },
	{ "mempolicy", TO(same.policy) },
	{ "atomic_flags", TO(same.atomic_flags) },
	{ "thread_info.flags", TO(same.thread_flags) },
	{ "thread_info.syscall_work", TO(same.syscall_work) },
	{ "syscall_dispatch.offset", TO(same.dispatch_offset) },
	{ "syscall_dispatch.len", TO(same.dispatch_len) },
	{ "policy", TO(same.sched_policy) },
	{ "static_prio", TO(same.static_prio) },
};

struct places {
	long values[ARRAY_SIZE(values)];
	long thread_head, thread_node, thread_pid, upid_nr;
};

static int find_places(const struct btf *btf, struct places *p)
{
	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		p->values[i] = btf_byte(btf, "task_struct", values[i].path);
		if (p->values[i] < 0)
			return -EOPNOTSUPP;
	}
	p->thread_head = btf_byte(btf, "signal_struct", "thread_head");
	p->thread_node = btf_byte(btf, "task_struct", "thread_node");
	p->thread_pid = btf_byte(btf, "task_struct", "thread_pid");
	p->upid_nr = btf_byte(btf, "upid", "nr");
	return p->thread_head < 0 || p->thread_node < 0 || p->thread_pid < 0 || p->upid_nr < 0 ? -EOPNOTSUPP : 0;
}

/* The list starts, and ends, in the signal_struct. */
static int find_threads(struct kernel_tasks_reader *r, const struct places *p, const struct kernel_task *leader,
			struct kernel_thread *threads, size_t n)
{
	const uint64_t head = leader->signal + (uint64_t)p->thread_head;
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
			threads[found++].task = at - (uint64_t)p->thread_node;
		}
		if (err)
			return err;
	}
}

/* Finds the level of the pid namespace in which the caller traces. */
static int find_level(const struct kernel_tasks_reader *r, const struct places *p, uint64_t *ret)
{
	uint64_t at;
	int err = kernel_memory_task(&r->mem, &at);

	if (!err)
		err = kernel_memory_field(&r->mem, at, p->thread_pid, 8, &at);
	return err ? err : kernel_memory_field(&r->mem, at, r->at.pid_level, 4, ret);
}

int kernel_threads_read(struct kernel_tasks_reader *r, const struct kernel_task *leader, struct kernel_thread *threads,
			size_t n)
{
	struct places p;
	uint64_t level;
	int err = find_places(&r->mem.btf, &p);

	if (!err)
		err = find_threads(r, &p, leader, threads, n);
	if (!err)
		err = find_level(r, &p, &level);
	if (err)
		return err;
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < ARRAY_SIZE(values); j++)
			kernel_batch_add(&r->batch, threads[i].task + (uint64_t)p.values[j],
					 (char *)&threads[i] + values[j].to, values[j].len);
	err = kernel_batch_run(&r->batch);
	for (size_t i = 0; !err && i < n; i++) {
		struct kernel_thread *t = &threads[i];
		uint64_t numbers = t->pid + (uint64_t)r->at.pid_numbers + level * (uint64_t)r->at.upid_size;

		kernel_batch_add(&r->batch, t->pid ? numbers + (uint64_t)p.upid_nr : 0, &t->tid, sizeof(t->tid));
	}
	return err ? err : kernel_batch_run(&r->batch);
}
