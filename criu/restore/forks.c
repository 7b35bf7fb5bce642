/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which tasks each task forks, and in which order. Some forks wait for what other tasks do (nested.h): they come last, and
 * are tried out here, as tasks could wait for each other.
 */
#include <errno.h>
#include <stdlib.h>
#include "base/cleanup.h"
#include "restore/nested.h"
#include "restore/restore.h"
#include "run/restore.h"
#include "util/log.h"

static bool waits(const struct restore_task *rt)
{
	return rt->enters_pid_ns || rt->in_group_of_creator || rt->put_in_group;
}

static void prepend(struct restore_task *rt)
{
	rt->next_forked = rt->creator->forks;
	rt->creator->forks = rt;
}

static void list_tasks(struct restore *r, bool waiting)
{
	for (struct list *pos = r->plan.tree.tasks.prev; pos != &r->plan.tree.tasks; pos = pos->prev) {
		struct restore_task *rt = restore_task_of(list_entry(pos, struct task, in_tree));

		if (rt->creator && waits(rt) == waiting)
			prepend(rt);
	}
}

/*
 * Each creator's list, from its end on, so that it is in tree order. Helpers come first: they are creators themselves.
 */
static void list_forks(struct restore *r)
{
	list_tasks(r, true);
	list_tasks(r, false);
	for (struct list *pos = r->plan.helpers.prev; pos != &r->plan.helpers; pos = pos->prev)
		prepend(restore_task_of(list_entry(pos, struct task, in_tree)));
}

/* A task, and all that it forks, directly or indirectly. */
static size_t count_forks(const struct restore_task *root)
{
	const struct restore_task *rt = root;
	size_t reached = 1;

	while (rt) {
		if (rt->forks) {
			rt = rt->forks;
		} else {
			while (rt != root && !rt->next_forked)
				rt = rt->creator;
			rt = rt != root ? rt->next_forked : NULL;
		}
		reached += rt != NULL;
	}
	return reached;
}

/* Every task is forked in the end; any others would wait for each other. */
static int check_forks(struct restore *r)
{
	const struct restore_task *rt;
	size_t reached = 0;

	restore_for_each_task(rt, r)
		if (!rt->creator)
			reached += count_forks(rt);
	return reached == r->plan.tree.nr_tasks + r->plan.nr_helpers ?
		       0 :
		       fail(-EBADMSG,
			    "pstree.img: %zu tasks are in sessions that only they could have created for each other",
			    r->plan.tree.nr_tasks + r->plan.nr_helpers - reached);
}

/* ---- trying it out ---- */

/* How far a task is. */
struct trial {
	bool exists, leads; /* it has started its session or group */
	const struct restore_task *next; /* to be forked */
};

static bool exists(const struct trial *trials, const struct restore *r, pid_t pid)
{
	const struct task *helper;
	const struct restore_task *rt = hash_get_ptr(&r->plan.task_by_pid, (uint64_t)pid);

	if (rt)
		return trials[rt->t.index].leads;
	list_for_each(helper, &r->plan.helpers, in_tree)
		if (helper->pid == pid)
			return trials[helper->index].leads;
	/* That of the user who restores (--shell-job). */
	return true;
}

static bool can_fork(const struct trial *trials, const struct restore *r, const struct restore_task *rt)
{
	const struct restore_task *by = rt->creator;

	if (rt->enters_pid_ns && !trials[rt->t.pid_ns->init->index].exists)
		return false;
	return !(rt->in_group_of_creator || rt->put_in_group) || (by && by->t.pid == rt->t.pgid) ||
	       exists(trials, r, rt->t.pgid);
}

static void begin(struct trial *trials, const struct restore_task *rt)
{
	trials[rt->t.index] = (struct trial){ .exists = true, .next = rt->forks };
}

/* Returns whether @rt does anything: as far as it gets. */
static bool proceed(struct trial *trials, const struct restore *r, const struct restore_task *rt)
{
	struct trial *own = &trials[rt->t.index];
	bool moved = false;

	if (!own->exists || (own->leads && !own->next))
		return false;
	while (1) {
		while (own->next && own->next->early == own->leads)
			own->next = own->next->next_forked;
		if (!own->next && own->leads)
			return moved;
		if (own->next && !can_fork(trials, r, own->next))
			return moved;
		moved = true;
		if (own->next) {
			begin(trials, own->next);
			own->next = own->next->next_forked;
		} else {
			own->leads = true;
			own->next = rt->forks;
		}
	}
}

static bool any_waits(struct restore *r)
{
	const struct restore_task *rt;

	restore_for_each_task(rt, r)
		if (waits(rt))
			return true;
	return false;
}

static bool proceed_all(struct trial *trials, struct restore *r)
{
	const struct restore_task *rt;
	struct task *helper;
	bool moved = false;

	restore_for_each_task(rt, r) {
		if (!rt->creator && !trials[rt->t.index].exists && can_fork(trials, r, rt)) {
			begin(trials, rt);
			moved = true;
		}
		moved |= proceed(trials, r, rt);
	}
	list_for_each(helper, &r->plan.helpers, in_tree)
		moved |= proceed(trials, r, restore_task_of(helper));
	return moved;
}

static int try_out(struct restore *r)
{
	_cleanup_free_ struct trial *trials = calloc(r->plan.tree.nr_tasks + r->plan.nr_helpers, sizeof(*trials));
	const struct restore_task *rt;

	if (!trials)
		return fail(-ENOMEM, "tasks");
	while (proceed_all(trials, r))
		;
	restore_for_each_task(rt, r)
		if (!trials[rt->t.index].exists)
			return fail(
				-EOPNOTSUPP,
				"pid %d is in a pid namespace or a process group that would have to exist before it, and could not: that is not supported",
				rt->t.pid);
	return 0;
}

int restore_link_forks(struct restore *r)
{
	int err;

	list_forks(r);
	err = check_forks(r);
	r->plan.forks_wait = any_waits(r);
	return err || !r->plan.forks_wait ? err : try_out(r);
}
