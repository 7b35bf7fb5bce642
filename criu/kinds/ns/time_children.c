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
#include "util/hash.h"
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

/* Of all tasks: found in one pass, as each of them may have unshared one. */
struct relations {
	struct hash unsharers; /* a namespace -> the first task that has it for its children */
	struct hash vms[2]; /* the id of a memory -> the first, and the second task that has it */
};

static void free_relations(struct relations *all)
{
	hash_free(&all->unsharers);
	hash_free(&all->vms[0]);
	hash_free(&all->vms[1]);
}

static uint64_t key_of(const struct ns *ns)
{
	return (uint64_t)(uintptr_t)ns;
}

static int find_relations(struct dump *dump, struct relations *all)
{
	const struct dump_task *task;
	int err = 0;

	dump_for_each_task(task, dump) {
		const uint32_t vm = task->t.ids.vm;
		const struct ns *ns = task->time_ns_for_children;

		if (err || task->t.state == TASK_DEAD)
			continue;
		err = hash_put_ptr(&all->vms[!!hash_get_ptr(&all->vms[0], vm)], vm, task);
		if (!err && ns && !hash_get_ptr(&all->unsharers, key_of(ns)))
			err = hash_put_ptr(&all->unsharers, key_of(ns), task);
	}
	return err;
}

static void refuse_member(struct dump *dump, const struct dump_task *task, const struct dump_task *other)
{
	dump_blocker(
		dump, task, -1,
		UNSHARED
		", which process %d uses, too, and that is none of its descendants: that is not supported; let it execute a program, or end one of them",
		other->t.pid);
}

static bool has_user_ns(const struct dump *dump)
{
	const struct ns *user;

	ns_for_each(user, &dump->namespaces, NS_USER)
		if (!user->own)
			return true;
	return false;
}

static void check_unsharer(struct dump *dump, const struct dump_task *task, const struct relations *all)
{
	const struct dump_task *peer = hash_get_ptr(&all->vms[0], task->t.ids.vm),
			       *first = hash_get_ptr(&all->unsharers, key_of(task->time_ns_for_children));

	if (peer == task)
		peer = hash_get_ptr(&all->vms[1], task->t.ids.vm);
	if (peer)
		dump_blocker(dump, task, -1, UNSHARED ", and shares its memory with process %d: that is not supported",
			     peer->t.pid);
	if (first != task)
		refuse_member(dump, first, task);
}

/* Whose parent is in it, too, is a descendant if that is one. */
static void check_member(struct dump *dump, const struct dump_task *task, const struct relations *all)
{
	const struct dump_task *unsharer = hash_get_ptr(&all->unsharers, key_of(task->ns[NS_TIME])),
			       *parent = task->t.parent ? dump_task_of(task->t.parent) : NULL;

	if (!unsharer || unsharer == task)
		return;
	if (parent && parent->t.state != TASK_DEAD && parent != unsharer && parent->ns[NS_TIME] == task->ns[NS_TIME])
		return;
	if (!is_below(&task->t, &unsharer->t))
		refuse_member(dump, unsharer, task);
}

static void check_all(struct dump *dump, const struct relations *all)
{
	const bool users = has_user_ns(dump);
	const struct dump_task *task;

	dump_for_each_task(task, dump) {
		if (task->t.state == TASK_DEAD)
			continue;
		if (task->time_ns_for_children && users)
			dump_blocker(dump, task, -1,
				     UNSHARED ": in a tree with user namespaces, that is not supported");
		else if (task->time_ns_for_children)
			check_unsharer(dump, task, all);
		if (!users)
			check_member(dump, task, all);
	}
}

int time_children_check(struct dump *dump)
{
	struct relations all = { 0 };
	int err = find_relations(dump, &all);

	if (!err)
		check_all(dump, &all);
	free_relations(&all);
	return err ? fail(err, "time namespaces") : 0;
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

static int link_creator(struct restore *r, const struct restore_task *task)
{
	const struct ns *ns = time_ns_for_children(r, task);
	struct time_ns_state *state = ns ? ns->data : NULL;

	if (!state)
		return 0;
	if (restore_is_vm_peer(task))
		return fail(-EBADMSG, "core-%d.img: tc.time_ns_for_children of a task that shares its memory",
			    task->t.pid);
	if (state->creator || ns == task->ns[NS_TIME])
		return fail(-EBADMSG, "core-%d.img: tc.time_ns_for_children: %u is that of another task", task->t.pid,
			    ns->id);
	state->creator = task;
	return 0;
}

/* Only where a descriptor of it will have been inherited: who creates a descendant is one. */
static int link_member(const struct restore_task *task)
{
	const struct ns *ns = task->ns[NS_TIME];
	struct time_ns_state *state = ns ? ns->data : NULL;
	const struct restore_task *parent = task->t.parent ? restore_task_of(task->t.parent) : NULL;

	if (!state || !state->creator)
		return 0;
	state->has_members = true;
	/* It has been, or will be, looked at itself. */
	if (parent && parent != state->creator && parent->ns[NS_TIME] == ns)
		return 0;
	if (task != state->creator && is_below(&task->t, &state->creator->t))
		return 0;
	return fail(-EBADMSG,
		    "pid %d is in time namespace %u, which process %d created for its children, and is none of them",
		    task->t.pid, ns->id, state->creator->t.pid);
}

int time_children_link(struct restore *r)
{
	struct restore_task *task;
	int err = 0;

	restore_for_each_task(task, r)
		if (!err)
			err = link_creator(r, task);
	restore_for_each_task(task, r)
		if (!err)
			err = link_member(task);
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
