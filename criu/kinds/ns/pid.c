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

/* The process that forks it in a restore, as far as a session outside of the pid namespace is concerned. */
static const struct task *maker_of(const struct dump_task *task)
{
	struct task_ids shared = { .vm = task->t.ids.vm,
				   .files = task->files_owner ? 0 : task->t.ids.files,
				   .fs = task->fs_owner ? 0 : task->t.ids.fs,
				   .sighand = task->sighand_owner ? 0 : task->t.ids.sighand };

	return task->t.state == TASK_DEAD || task->mm_owner ? task->t.parent : tree_vm_peer_maker(&task->t, &shared);
}

/* A session or group from outside can only be inherited, by a child forked before its parent left it: restore/link.c. */
static void check_outer(struct dump *dump, const struct dump_task *task)
{
	const struct task *by = task->t.sid ? NULL : maker_of(task);
	struct dump_task *other;

	while (by && (!by->sid || by->sid == by->pid))
		by = maker_of(dump_task_of((struct task *)by));
	if (by)
		dump_blocker(
			dump, task, -1,
			"is in a session outside of its pid namespace, and its ancestor %d is in session %d, which it has not started: that is not supported",
			by->pid, by->sid);
	if (task->t.pgid)
		return;
	dump_for_each_task(other, dump)
		if (other->t.pgid == task->t.pid)
			dump_blocker(
				dump, task, -1,
				"is in a process group outside of its pid namespace, and process %d is in a group with the id %d: that is not supported",
				other->t.pid, task->t.pid);
}

static int pid_survey(struct dump *dump)
{
	const struct ns *tree = dump_task_of(dump->tree.root)->ns[NS_PID];
	struct dump_task *task;

	dump_for_each_task(task, dump) {
		LOG_SCOPE("pid %d", task->t.pid);

		check_outer(dump, task);
		if (task->ns[NS_PID] && task->ns[NS_PID] != tree)
			dump_blocker(
				dump, task, -1,
				"lives in another pid namespace than the root of the tree: nested pid namespaces are not implemented");
	}
	if (tree && !tree->own && dump->tree.root->pid != 1)
		dump_blocker(
			dump, dump_task_of(dump->tree.root), -1,
			"is process %d of a pid namespace that is not the tool's: dump the init of it, or run the tool inside (nsenter -t %d --pid --mount)",
			dump->tree.root->pid, dump->tree.root->host_pid);
	if (!tree || tree->own)
		return 0;
	return pid_settings_save(dump, dump_task_of(dump->tree.root));
}

static int pid_link(struct restore *r)
{
	const struct restore_task *root = restore_task_of(r->plan.tree.root);
	const struct ns *tree = root->ns[NS_PID];
	struct restore_task *rt;

	restore_for_each_task(rt, r)
		if (rt != root && !rt->t.parent && (!tree || tree->own))
			return fail(
				-EBADMSG,
				"pstree.img: process %d has no parent, and the tree has no pid namespace of its own",
				rt->t.pid);
	restore_for_each_task(rt, r)
		if (rt->ns[NS_PID] && rt->ns[NS_PID] != tree)
			return fail(
				-EOPNOTSUPP,
				"process %d lived in another pid namespace than the root of the tree: nested pid namespaces are not implemented",
				rt->t.pid);
	if (tree && !tree->own && root->t.pid != 1)
		return fail(-EBADMSG, "pstree.img: the first process of a pid namespace is %d, not 1", root->t.pid);
	return pid_settings_check(root);
}

const struct run_kind pid_ns_run = {
	.name = "pid namespace",
	.namespaces = BIT(NS_PID),
	.survey = pid_survey,
	.link = pid_link,
	.at_birth = pid_settings_begin,
	.ready = pid_settings_finish,
};
