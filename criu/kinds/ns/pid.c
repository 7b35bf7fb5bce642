// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pid namespaces: their content is their processes, with the pids in images (dump/numbers.c). A namespace is created
 * with its first process, the root of the tree: restore/fork.c. pid_namespaces(7)
 */
#include <errno.h>
#include "base/bits.h"
#include "kernel/proc_pid.h"
#include "kinds/kinds.h"
#include "kinds/ns/pid_settings.h"
#include "run/dump.h"
#include "run/restore.h"
#include "util/log.h"

static int survey_task(struct dump *dump, const struct dump_task *task)
{
	uint32_t next;
	int err = proc_ns_ino(&task->proc, PROC_NS_PID_CHILDREN, &next);

	/* No process has been created in it yet: the link is dangling. */
	if (err == -ENOENT || (!err && next != task->ns[NS_PID]->ino))
		dump_blocker(
			dump, task, -1,
			"its next child is created in a different pid namespace (unshare(CLONE_NEWPID)): that is not implemented");
	return err == -ENOENT || err == -ESRCH ? 0 :
	       err			       ? fail(err, "read /proc/%d/ns/pid_for_children", task->t.host_pid) :
						 0;
}

/* The process that forks it in a restore, as far as a session outside of the pid namespace is concerned. */
static const struct task *maker_of(const struct dump_task *task)
{
	struct task_ids shared = { .vm = task->t.ids.vm,
				   .files = task->files_owner ? 0 : task->t.ids.files,
				   .fs = task->fs_owner ? 0 : task->t.ids.fs,
				   .sighand = task->sighand_owner ? 0 : task->t.ids.sighand };

	return task->t.state == TASK_DEAD || task->mm_owner ? task->t.parent : tree_vm_peer_maker(&task->t, &shared);
}

/* Sessions and groups from outside can only be inherited: restore/link.c. */
static void check_outer(struct dump *dump, const struct dump_task *task)
{
	const struct task *t = &task->t, *by = maker_of(task);
	const char *what = NULL;

	if (by && !t->sid && by->sid)
		what = "session";
	else if (by && !t->pgid && by->pgid)
		what = "process group";
	if (what)
		dump_blocker(
			dump, task, -1,
			"is in a %s outside of its pid namespace, and process %d, which would have to fork it, is not: that is not supported",
			what, by->pid);
}

/*
 * A process that entered from outside (setns(2)) is no descendant of the init, so it is not in the tree; and it is killed
 * when the init of the namespace exits.
 */
static void check_entered(struct dump *dump, const struct ns *tree, pid_t pid)
{
	_cleanup_proc_ struct proc proc = PROC_CLOSED;
	char comm[16];
	uint32_t ino;

	if (dump_find_task(dump, pid) || proc_open(pid, &proc) || proc_ns_ino(&proc, PROC_NS_PID, &ino) ||
	    ino != tree->ino)
		return;
	dump_blocker(
		dump, dump_task_of(dump->tree.root), -1,
		"process %d (%s) entered the pid namespace of the tree from outside (nsenter, exec of a container engine), and would be killed with it: that is not implemented; end it first",
		pid, proc_comm_of(pid, comm));
}

static int find_entered(struct dump *dump, const struct ns *tree)
{
	_cleanup_proc_ struct proc self = PROC_CLOSED;
	struct pid_array pids = { 0 };
	int err = proc_open_self(&self);

	if (!err)
		err = proc_pids(&self, &pids);
	for (size_t i = 0; !err && i < pids.n; i++)
		check_entered(dump, tree, pids.v[i]);
	array_free(&pids);
	return err ? fail(err, "list the processes in /proc") : 0;
}

static int pid_survey(struct dump *dump)
{
	const struct ns *tree = dump_task_of(dump->tree.root)->ns[NS_PID];
	struct dump_task *task;
	int err = 0;

	dump_for_each_task(task, dump) {
		LOG_SCOPE("pid %d", task->t.pid);

		check_outer(dump, task);
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
	if (err || !tree || tree->own)
		return err;
	err = find_entered(dump, tree);
	return err ? err : pid_settings_survey(dump, dump_task_of(dump->tree.root));
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
