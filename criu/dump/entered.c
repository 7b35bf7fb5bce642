/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Processes that entered the pid namespace of the tree from outside (setns(2): nsenter, exec of a container engine). They
 * descend from no process of the tree, and have no parent in that namespace, but end with its init. So the namespace is
 * searched for them.
 */
#include <errno.h>
#include "dump/dump.h"
#include "kernel/pid_ns.h"
#include "run/dump.h"
#include "util/log.h"

int dump_note_pid_ns(struct dump *dump, const struct dump_task *root, const struct proc_status *status)
{
	if (!status->levels)
		return 0;
	dump->pid_level = status->levels - 1;
	if (!dump->pid_level || status->nspid[dump->pid_level] != 1 || dump->pid_ns >= 0)
		return 0;
	dump->pid_ns = proc_ns_open(&root->proc, PROC_NS_PID);
	return dump->pid_ns < 0 ? fail(dump->pid_ns, "open /proc/%d/ns/pid", root->t.host_pid) : 0;
}

/* Otherwise it is found as a child (tree.c). */
static bool has_parent_outside(const struct dump *dump, pid_t pid)
{
	_cleanup_proc_ struct proc proc = PROC_CLOSED;
	struct proc_stat stat;

	return !proc_open(pid, &proc) && !proc_stat_read(&proc, &stat) && !pid_ns_contains(dump->pid_ns, stat.ppid);
}

/* Returns whether it was added. */
static int add_if_entered(struct dump *dump, pid_t pid)
{
	struct dump_task *dt;
	int err;

	if (dump_find_task(dump, pid) || !pid_ns_contains(dump->pid_ns, pid) || !has_parent_outside(dump, pid))
		return 0;
	err = dump_add_task(dump, pid, NULL, &dt);
	if (err == -ENOENT || err == -ESRCH)
		return 0;
	return err ? err : 1;
}

int dump_add_entered(struct dump *dump)
{
	_cleanup_proc_ struct proc self = PROC_CLOSED;
	struct pid_array pids = { 0 };
	int added = 0, err = dump->pid_ns < 0 ? 0 : proc_open_self(&self);

	if (!err && dump->pid_ns >= 0)
		err = proc_pids(&self, &pids);
	for (size_t i = 0; err >= 0 && i < pids.n; i++) {
		err = add_if_entered(dump, pids.v[i]);
		added += err > 0;
	}
	array_free(&pids);
	return err < 0 ? fail(err, "find the processes in the pid namespace of the tree") : added;
}
