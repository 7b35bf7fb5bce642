// SPDX-License-Identifier: GPL-2.0-only
/*
 * unshare(CLONE_NEWTIME): the children of the task will be in a new time namespace, and the task itself is in another one until it
 * executes a program. setns(2) changes both at once, so only that task can create it again, and others are in it by being
 * its descendants. Offsets can be set until the first process is in: time_namespaces(7). So one without processes is created
 * last of all, when nothing of ours is forked any more.
 */
#include <errno.h>
#include <linux/nsfs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "core.pb-c.h"
#include "kernel/proc_pid.h"
#include "kinds/kinds.h"
#include "kinds/ns/time_ns.h"
#include "run/dump.h"
#include "run/restore.h"
#include "util/fds.h"
#include "util/log.h"

static bool is_below(const struct task *task, const struct task *top)
{
	while (task && task != top)
		task = task->parent;
	return task != NULL;
}

/* ---- dump ------------------------------------------------------------------------------- */

#define UNSHARED "has unshared a time namespace for its children, and is in another one itself (unshare(CLONE_NEWTIME))"

int time_children_survey(struct dump *dump, struct dump_task *task, uint32_t ino, bool own)
{
	if (own) {
		dump_blocker(dump, task, -1,
			     UNSHARED ": that of this program, which is its child; start this program elsewhere");
		return 0;
	}
	task->time_ns_for_children = ns_set_get(&dump->namespaces, &dump->arena, NS_TIME, ino, false);
	return task->time_ns_for_children ? 0 : fail(-ENOMEM, "time namespaces");
}

static void check_member(struct dump *dump, const struct dump_task *task, const struct dump_task *other)
{
	const struct ns *ns = task->time_ns_for_children;

	if (other->t.ids.vm == task->t.ids.vm)
		dump_blocker(dump, task, -1, UNSHARED ", and shares its memory with process %d: that is not supported",
			     other->t.pid);
	else if (other->time_ns_for_children == ns || (other->ns[NS_TIME] == ns && !is_below(&other->t, &task->t)))
		dump_blocker(
			dump, task, -1,
			UNSHARED
			", which process %d uses, too, and that is none of its descendants: that is not supported; let it execute a program, or end one of them",
			other->t.pid);
}

static void check_task(struct dump *dump, const struct dump_task *task)
{
	const struct dump_task *other;
	const struct ns *user;

	ns_for_each(user, &dump->namespaces, NS_USER)
		if (!user->own) {
			dump_blocker(dump, task, -1,
				     UNSHARED ": in a tree with user namespaces, that is not supported");
			return;
		}
	dump_for_each_task(other, dump)
		if (other != task && other->t.state != TASK_DEAD)
			check_member(dump, task, other);
}

void time_children_check(struct dump *dump)
{
	const struct dump_task *task;

	dump_for_each_task(task, dump)
		if (task->t.state != TASK_DEAD && task->time_ns_for_children)
			check_task(dump, task);
}

static int save(struct dump *dump, struct dump_task *task, CoreEntry *core)
{
	if (!task->time_ns_for_children)
		return 0;
	core->tc->has_time_ns_for_children = true;
	core->tc->time_ns_for_children = task->time_ns_for_children->id;
	return 0;
}

/* ---- restore ---------------------------------------------------------------------------- */

static const TaskCoreEntry *core_of(const struct restore_task *task)
{
	const TaskCoreEntry *tc = task->t.state != TASK_DEAD ? task->core->tc : NULL;

	return tc && tc->has_time_ns_for_children ? tc : NULL;
}

static struct ns *time_ns_for_children(struct restore *r, const struct restore_task *task)
{
	const TaskCoreEntry *tc = core_of(task);
	struct ns *ns;

	ns_for_each(ns, &r->plan.namespaces, NS_TIME)
		if (tc && ns->id == tc->time_ns_for_children)
			return ns;
	return NULL;
}

int time_children_load(struct restore *r)
{
	struct restore_task *task;

	restore_for_each_task(task, r) {
		const TaskCoreEntry *tc = core_of(task);

		if (!tc)
			continue;
		if (!task->ns[NS_TIME] || tc->time_ns_for_children <= ns_own_id(NS_TYPES - 1))
			return fail(-EBADMSG,
				    "core-%d.img: tc.time_ns_for_children: %u is no time namespace of the tree",
				    task->t.pid, tc->time_ns_for_children);
		if (!ns_set_get_id(&r->plan.namespaces, &r->arena, NS_TIME, tc->time_ns_for_children, false))
			return fail(-ENOMEM, "time namespaces");
	}
	return 0;
}

/* Only where a descriptor of it will have been inherited: who creates a descendant is one. */
static int link_members(struct restore *r, const struct restore_task *task, const struct ns *ns)
{
	struct time_ns_state *state = ns->data;
	struct restore_task *other;

	if (restore_is_vm_peer(task))
		return fail(-EBADMSG, "core-%d.img: tc.time_ns_for_children of a task that shares its memory",
			    task->t.pid);
	if (state->creator || ns == task->ns[NS_TIME])
		return fail(-EBADMSG, "core-%d.img: tc.time_ns_for_children: %u is that of another task", task->t.pid,
			    ns->id);
	state->creator = task;
	restore_for_each_task(other, r) {
		if (other->ns[NS_TIME] != ns)
			continue;
		if (other == task || !is_below(&other->t, &task->t))
			return fail(
				-EBADMSG,
				"pid %d is in time namespace %u, which process %d created for its children, and is none of them",
				other->t.pid, ns->id, task->t.pid);
		state->has_members = true;
	}
	return 0;
}

int time_children_link(struct restore *r)
{
	struct restore_task *task;
	int err = 0;

	restore_for_each_task(task, r) {
		const struct ns *ns = time_ns_for_children(r, task);

		if (!err && ns)
			err = link_members(r, task, ns);
	}
	return err;
}

/* Threads that exist before all others keep the namespaces of their birth. */
static bool is_needed_early(const struct restore_task *task, const struct ns *ns)
{
	bool early = ((const struct time_ns_state *)ns->data)->has_members;

	for (size_t i = 1; !early && i < task->nr_threads; i++)
		early = task->threads[i].early;
	return early;
}

static int create(struct restore *r, struct ns *ns)
{
	const char *step = NULL;
	int err = time_ns_create(r, ns, &step);

	return err ? fail(err, "create the time namespace for its children: %s", step) : 0;
}

const struct ns *time_children_early(struct restore *r, const struct restore_task *task)
{
	const struct ns *ns = time_ns_for_children(r, task);

	return ns && is_needed_early(task, ns) ? ns : NULL;
}

int time_children_at_birth(struct restore *r, const struct restore_task *task)
{
	return time_children_early(r, task) ? create(r, time_ns_for_children(r, task)) : 0;
}

static int hand_over(struct restore *r, struct restore_task *task, struct wire_task *wire)
{
	struct ns *ns = time_ns_for_children(r, task);
	bool continues = ns && ((const struct time_ns_state *)ns->data)->run->clocks_continue;

	if (ns && !continues)
		log_warn(
			"the time namespace that it has unshared for its children is not restored, like all of the tree");
	return continues && !is_needed_early(task, ns) ? create(r, ns) : 0;
}

const struct task_kind time_children_kind = {
	.name = "time namespace for children",
	.save = save,
	.hand_over = hand_over,
};
