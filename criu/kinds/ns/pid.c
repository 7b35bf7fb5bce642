// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pid namespaces: what is in one is its processes, with the numbers that images hold (dump/numbers.c). It comes into being
 * with its first process, the root of the tree: restore/fork.c. pid_namespaces(7)
 */
#include <errno.h>
#include "base/bits.h"
#include "kernel/proc_pid.h"
#include "kinds/kinds.h"
#include "run/dump.h"
#include "run/restore.h"
#include "util/log.h"

static int survey_task(struct dump *dump, const struct dump_task *task)
{
	uint32_t next;
	int err = proc_ns_ino(&task->proc, PROC_NS_PID_CHILDREN, &next);

	/* No process has been born in it yet: the link leads nowhere. */
	if (err == -ENOENT || (!err && next != task->ns[NS_PID]->ino))
		dump_blocker(
			dump, task, -1,
			"its next child is born in another pid namespace than its own (unshare(CLONE_NEWPID)): that is not implemented");
	return err == -ENOENT || err == -ESRCH ? 0 :
	       err			       ? fail(err, "read /proc/%d/ns/pid_for_children", task->t.host_pid) :
						 0;
}

static int pid_survey(struct dump *dump)
{
	const struct ns *tree = dump_task_of(dump->tree.root)->ns[NS_PID];
	struct dump_task *task;
	int err = 0;

	dump_for_each_task(task, dump) {
		LOG_SCOPE("pid %d", task->t.pid);

		if (err || task->t.state == TASK_DEAD || !task->ns[NS_PID])
			continue;
		if (task->ns[NS_PID] != tree)
			dump_blocker(
				dump, task, -1,
				"lives in another pid namespace than the root of the tree: nested pid namespaces are not implemented");
		else
			err = survey_task(dump, task);
	}
	if (!err && tree && !tree->own && dump->tree.root->pid != 1)
		dump_blocker(
			dump, dump_task_of(dump->tree.root), -1,
			"is process %d of a pid namespace that is not the tool's: dump the init of it, or run the tool inside (nsenter -t %d --pid --mount)",
			dump->tree.root->pid, dump->tree.root->host_pid);
	return err;
}

static int pid_link(struct restore *r)
{
	const struct restore_task *root = restore_task_of(r->plan.tree.root);
	const struct ns *tree = root->ns[NS_PID];
	struct restore_task *rt;

	restore_for_each_task(rt, r)
		if (rt->ns[NS_PID] && rt->ns[NS_PID] != tree)
			return fail(
				-EOPNOTSUPP,
				"process %d lived in another pid namespace than the root of the tree: nested pid namespaces are not implemented",
				rt->t.pid);
	if (tree && !tree->own && root->t.pid != 1)
		return fail(-EBADMSG, "pstree.img: the first process of a pid namespace is %d, not 1", root->t.pid);
	return 0;
}

const struct run_kind pid_ns_run = {
	.name = "pid namespace",
	.namespaces = BIT(NS_PID),
	.survey = pid_survey,
	.link = pid_link,
};
