// SPDX-License-Identifier: GPL-2.0-only
/*
 * unshare(CLONE_NEWPID): the next child of the task is to be the init of a new pid namespace. Without an init the link
 * pid_for_children leads nowhere. Later children, and those after a setns(2), are created in that namespace, too. Nothing may be
 * forked in such a task any more, neither at a dump (memory/snapshot.c) nor at a restore: no thread, either. pid_namespaces(7)
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <unistd.h>
#include "core.pb-c.h"
#include "kernel/proc_pid.h"
#include "kinds/kinds.h"
#include "kinds/ns/pid_nested.h"
#include "run/dump.h"
#include "run/outside.h"
#include "run/restore.h"
#include "util/fds.h"
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
	/* Whether that one is in the tree is known later: pid_nested.c */
	if (!err && next != task->ns[NS_PID]->ino)
		task->pid_ns_for_children = next;
	if ((task->pid_ns_unshared || task->pid_ns_for_children) && task->leader_ended)
		dump_blocker(
			dump, task, -1,
			"its first thread has exited, and its next child is created in a different pid namespace (unshare(2), setns(2)): that is not supported");
	return err == -ENOENT || (err == -ESRCH && dump_is_check(dump)) ? 0 :
	       err ? fail(err, "read /proc/%d/ns/pid_for_children", task->t.host_pid) :
		     0;
}

static int save(struct dump *dump, struct dump_task *task, CoreEntry *core)
{
	const struct ns *ns;

	core->tc->has_pid_ns_unshared = core->tc->pid_ns_unshared = task->pid_ns_unshared;
	ns_for_each(ns, &dump->namespaces, NS_PID)
		if (task->pid_ns_for_children && ns->ino == task->pid_ns_for_children) {
			core->tc->has_pid_ns_for_children = true;
			core->tc->pid_ns_for_children = ns->id;
		}
	return 0;
}

/* NULL: there is none with an init that a restore creates. */
static const struct ns *for_children(struct restore *r, const struct restore_task *task)
{
	const struct ns *ns;

	ns_for_each(ns, &r->plan.namespaces, NS_PID)
		if (ns->id == task->core->tc->pid_ns_for_children && ns->init && ns->init->state != TASK_DEAD)
			return ns;
	return NULL;
}

int pid_children_link(struct restore *r)
{
	struct restore_task *task;

	restore_for_each_task(task, r) {
		const TaskCoreEntry *tc = task->t.state != TASK_DEAD ? task->core->tc : NULL;
		const struct ns *ns = tc && tc->has_pid_ns_for_children ? for_children(r, task) : NULL;

		if (tc && tc->has_pid_ns_for_children &&
		    (!ns || ns == task->t.pid_ns || !ns_is_within(ns, task->t.pid_ns)))
			return fail(
				-EBADMSG,
				"core-%d.img: tc.pid_ns_for_children: %u is not a pid namespace of the images inside of its own",
				task->t.pid, tc->pid_ns_for_children);
	}
	return 0;
}

static int hand_over(struct restore *r, struct restore_task *task, struct wire_task *wire)
{
	const struct ns *ns = task->core->tc->has_pid_ns_for_children ? for_children(r, task) : NULL;
	int fd;

	wire->unshare = task->core->tc->pid_ns_unshared ? CLONE_NEWPID : 0;
	wire->enter_fd = -1;
	if (!ns)
		return 0;
	/* In another user namespace, the task could not enter it by a pidfd: that needs access to the process. */
	fd = outside_open_pid_ns(r, ns->init->pid, O_RDONLY);
	if (fd < 0)
		return fail(fd, "open the pid namespace of process %d", ns->init->pid);
	/* Closed with all descriptors of the restore. */
	wire->enter_fd = move_fd_above(fd, r->service_base);
	if (wire->enter_fd >= 0)
		return 0;
	close(fd);
	return fail(wire->enter_fd, "keep the pid namespace of process %d open", ns->init->pid);
}

const struct task_kind pid_children_kind = {
	.name = "pid namespace for children",
	.survey = survey,
	.save = save,
	.hand_over = hand_over,
};
