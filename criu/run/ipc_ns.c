// SPDX-License-Identifier: GPL-2.0-only
#include "base/cleanup.h"
#include "kernel/ns_run.h"
#include "run/ipc_ns.h"
#include "util/fds.h"
#include "util/log.h"

int ipc_ns_enter(const struct dump_task *task, int (*fn)(void *arg), void *arg)
{
	_cleanup_close_ int fd = open_at(task->proc.dir, "ns/ipc", O_RDONLY, 0);
	int result = 0, err = fd < 0 ? fd : ns_run_in(&fd, 1, fn, arg, &result);

	return err ? err : result;
}

int ipc_ns_of_task(const struct dump_task *task, int (*fn)(void *arg), void *arg)
{
	/* NULL: this kernel has no IPC namespaces. */
	return !task->ns[NS_IPC] || task->ns[NS_IPC]->own ? fn(arg) : ipc_ns_enter(task, fn, arg);
}

int ipc_ns_of_restore(struct restore *r, const struct ns *ns, int (*fn)(void *arg), void *arg)
{
	int result = 0, err;

	if (!ns || ns == restore_task_of(r->plan.tree.root)->ns[NS_IPC])
		return fn(arg);
	err = ns_run_in(&ns->fd, 1, fn, arg, &result);
	return err ? fail(err, "enter the IPC namespace %u", ns->id) : result;
}

int ipc_ns_of_tool(struct restore *r, int (*fn)(void *arg), void *arg)
{
	const struct ns *ns, *own = NULL;

	ns_for_each(ns, &r->plan.namespaces, NS_IPC)
		if (ns->own)
			own = ns;
	return ipc_ns_of_restore(r, own, fn, arg);
}
