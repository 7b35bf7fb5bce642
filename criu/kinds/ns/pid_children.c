// SPDX-License-Identifier: GPL-2.0-only
/*
 * unshare(CLONE_NEWPID): the next child of the task is to be the init of a new pid namespace. Without an init the link
 * pid_for_children leads nowhere. Nothing may be forked in such a task any more, neither at a dump (memory/snapshot.c) nor at a
 * restore: no thread, either. pid_namespaces(7)
 */
#include <errno.h>
#include <sched.h>
#include "core.pb-c.h"
#include "kernel/proc_pid.h"
#include "kinds/kinds.h"
#include "run/dump.h"
#include "run/restore.h"
#include "util/log.h"

static int survey(struct dump *dump, struct dump_task *task)
{
	uint32_t next;
	int err;

	/* An earlier task has been examined, and found to be an ordinary one. */
	if (!task->ns[NS_PID] || task->namespaces_alike)
		return 0;
	err = proc_ns_ino(&task->proc, PROC_NS_PID_CHILDREN, &next);
	task->pid_ns_unshared = err == -ENOENT;
	if (err || next != task->ns[NS_PID]->ino)
		dump->namespaces_like = NULL;
	if (err == -ENOENT && task->leader_ended)
		dump_blocker(
			dump, task, -1,
			"its first thread has exited, and its next child is created in a new pid namespace (unshare(CLONE_NEWPID)): that is not supported");
	else if (!err && next != task->ns[NS_PID]->ino)
		dump_blocker(
			dump, task, -1,
			"its next child is created in a different pid namespace (setns(2), or unshare(2) and a child that was its init): that is not implemented");
	return err == -ENOENT || (err == -ESRCH && dump_is_check(dump)) ? 0 :
	       err ? fail(err, "read /proc/%d/ns/pid_for_children", task->t.host_pid) :
		     0;
}

static int save(struct dump *dump, struct dump_task *task, CoreEntry *core)
{
	core->tc->has_pid_ns_unshared = core->tc->pid_ns_unshared = task->pid_ns_unshared;
	return 0;
}

static int hand_over(struct restore *r, struct restore_task *task, struct wire_task *wire)
{
	wire->unshare = task->core->tc->pid_ns_unshared ? CLONE_NEWPID : 0;
	return 0;
}

const struct task_kind pid_children_kind = {
	.name = "pid namespace for children",
	.survey = survey,
	.save = save,
	.hand_over = hand_over,
};
