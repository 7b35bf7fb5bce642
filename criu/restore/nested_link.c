/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A session or group from outside of a nested pid namespace has no number there, so that it can only be inherited; or the parent
 * outside puts its child into the group, before that continues: setpgid(2).
 */
#include <errno.h>
#include "restore/nested.h"
#include "restore/restore.h"
#include "run/restore.h"
#include "util/log.h"

static int link_namespace(struct restore_task *rt)
{
	const struct restore_task *by = rt->creator;
	const struct ns *ns = rt->t.pid_ns, *from = by ? by->t.pid_ns : NULL;

	rt->starts_pid_ns = ns && ns->init == &rt->t;
	rt->enters_pid_ns = !rt->starts_pid_ns && ns != from;
	if (rt->starts_pid_ns && (!by || from != ns->outer))
		return fail(
			-EOPNOTSUPP,
			"pid %d is the first process of a nested pid namespace, and the task that has to fork it is not in the one around it: that is not supported",
			rt->t.pid);
	if (!ns_is_within(ns, from))
		return fail(
			-EOPNOTSUPP,
			"pid %d has to be forked by pid %d, which is not in its pid namespace or one around it: that is not supported",
			rt->t.pid, by->t.pid);
	/* clone(2), CLONE_PARENT */
	if (rt->as_sibling && from && from->init == &by->t)
		return fail(
			-EOPNOTSUPP,
			"pid %d has to be forked as a sibling by pid %d, the first process of a pid namespace: that is not supported",
			rt->t.pid, by->t.pid);
	return 0;
}

static int link_group(struct restore *r, struct restore_task *rt)
{
	const struct restore_task *by = rt->creator;
	const struct task *t = &rt->t;

	if (rt->helper || !t->pid_ns || !t->pgid || restore_number_seen(r, rt, t->pgid))
		return 0;
	rt->join_pgid = 0;
	rt->in_group_of_creator = by && by->t.pgid == t->pgid && !by->leads_for_others;
	rt->put_in_group = !rt->in_group_of_creator && by && !rt->as_sibling && !rt->adopted && by->t.sid == t->sid &&
			   restore_number_seen(r, by, t->pgid);
	if ((rt->in_group_of_creator || rt->put_in_group) && !rt->leads_for_others)
		return 0;
	return fail(
		-EOPNOTSUPP,
		"pid %d is in process group %d, from outside of its pid namespace, which the task that forks it could not put it in: that is not supported",
		t->pid, t->pgid);
}

int restore_link_nested(struct restore *r)
{
	struct restore_task *rt;
	struct task *helper;
	int err = 0;

	list_for_each(helper, &r->plan.helpers, in_tree)
		err = err ? err : link_namespace(restore_task_of(helper));
	restore_for_each_task(rt, r) {
		if (!err)
			err = link_namespace(rt);
		if (!err)
			err = link_group(r, rt);
	}
	return err;
}
