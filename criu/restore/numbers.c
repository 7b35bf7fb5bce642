/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The tool's pids and tids for the processes and threads of the tree. In images, and among the tasks themselves, they
 * have those of the tree's pid namespace, which need not be ours: operations from outside (ptrace, /proc, signals) use
 * these.
 */
#include <errno.h>
#include "kernel/proc_pid.h"
#include "restore/restore.h"
#include "run/restore.h"
#include "util/fds.h"
#include "util/log.h"

bool restore_has_pid_ns(const struct restore *r)
{
	const struct ns *ns = restore_task_of(r->plan.tree.root)->ns[NS_PID];

	return ns && !ns->own;
}

int restore_pid_ns_given(const struct restore *r)
{
	return restore_has_pid_ns(r) ? restore_task_of(r->plan.tree.root)->ns[NS_PID]->fd : -1;
}

int restore_find_pid_ns(struct restore *r)
{
	_cleanup_proc_ struct proc root = PROC_CLOSED;
	int err;

	if (!restore_has_pid_ns(r))
		return 0;
	if (restore_pid_ns_given(r) >= 0) {
		r->tool.pid_ns = dup_fd_above(restore_pid_ns_given(r), r->service_base);
		return r->tool.pid_ns < 0 ? fail(r->tool.pid_ns, "pid namespace of the tree") : 0;
	}
	err = proc_open(r->tool.root_pid, &root);
	if (!err)
		r->tool.pid_ns = proc_ns_open(&root, PROC_NS_PID);
	if (!err && r->tool.pid_ns < 0)
		err = r->tool.pid_ns;
	return err ? fail(err, "pid namespace of the restored process %d", r->tool.root_pid) : 0;
}

int restore_find_numbers(struct restore *r)
{
	struct restore_task *rt;

	restore_for_each_task(rt, r) {
		rt->t.host_pid = restore_number_here(r, rt->t.pid);
		for (size_t i = 0; i < rt->nr_threads; i++) {
			rt->threads[i].id.host_tid = restore_number_here(r, rt->threads[i].id.tid);
			if (rt->threads[i].id.host_tid < 0)
				return fail(-ESRCH, "thread %d of the restored tree cannot be found",
					    rt->threads[i].id.tid);
		}
	}
	return 0;
}
