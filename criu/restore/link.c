/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Decides which task creates which. A session can only be inherited, so a task is forked by a process that is in its
 * session at that time: its parent before or after its own setsid(2), the session's leader on the parent's behalf
 * (CLONE_PARENT), or a helper that replaces a leader that has exited; or by a process that the leader forks and that exits, so that
 * an ancestor adopts it.
 */
#include <errno.h>
#include <signal.h>
#include <unistd.h>
#include "memory/memory.h"
#include "restore/nested.h"
#include "restore/restore.h"
#include "run/opener.h"
#include "run/obstacles.h"
#include "run/restore.h"
#include "run/spare_tid.h"
#include "util/log.h"

/* A session whose leader is outside of the pid namespace, 0 in images: that of the tool. */
#define OUTER (-1)

static pid_t session_of(const struct task *t)
{
	return t->sid ?: OUTER;
}

/* The session a task must be forked in; 0: any. */
static pid_t needed_sid(const struct restore_task *rt)
{
	return rt->t.sid == rt->t.pid ? rt->birth_sid : session_of(&rt->t);
}

static bool outside(struct restore *r, pid_t id)
{
	return !restore_find_task(r, id);
}

/* Is it a task of the tree that @rt cannot have had as leader of its session before it started its own? */
static bool led_later(const struct restore_task *leader, const struct restore_task *rt)
{
	const struct task *t = leader ? &leader->t : NULL;

	if (leader && !rt->t.parent)
		return true;
	while (t && t != &rt->t)
		t = t->parent;
	return t;
}

/* Children first: a leader whose child has an older session was forked in that session itself. */
static void find_birth_sessions(struct restore *r)
{
	for (struct list *pos = r->plan.tree.tasks.prev; pos != &r->plan.tree.tasks; pos = pos->prev) {
		struct restore_task *rt = restore_task_of(list_entry(pos, struct task, in_tree));
		struct restore_task *parent = rt->t.parent ? restore_task_of(rt->t.parent) : NULL;
		pid_t sid = needed_sid(rt);

		if (!parent || !sid || sid == session_of(&parent->t) || parent->t.sid != parent->t.pid ||
		    parent->birth_sid)
			continue;
		/* A dead leader's session is created by a helper instead, unless it is outside the tree. */
		if (sid != OUTER && outside(r, sid) && sid != r->plan.tree.root->sid)
			continue;
		/* An orphan, which the parent has adopted. */
		if (sid != OUTER && led_later(restore_find_task(r, sid), parent))
			continue;
		parent->birth_sid = sid;
	}
}

static struct restore_task *find_helper(struct restore *r, pid_t pid)
{
	struct task *t;

	list_for_each(t, &r->plan.helpers, in_tree)
		if (t->pid == pid)
			return restore_task_of(t);
	return NULL;
}

static struct restore_task *add_helper(struct restore *r, pid_t pid, pid_t sid, struct restore_task *parent)
{
	const struct inner_numbers *inner = hash_get_ptr(&r->plan.inner_numbers, (uint64_t)pid);
	struct restore_task *h;
	bool fresh;

	if (!hash_slot_of(&r->plan.tids, pid, &fresh) || !fresh)
		return NULL;
	h = restore_alloc(r, sizeof(*h));
	if (!h)
		return NULL;
	h->t.pid = h->t.pgid = pid;
	h->t.sid = sid;
	h->t.parent = &parent->t;
	h->t.state = TASK_ALIVE;
	if (inner) {
		h->t.pid_ns = inner->ns;
		h->t.inner_pid = inner->at;
	}
	h->t.exit_signal = SIGCHLD;
	h->t.index = r->plan.tree.nr_tasks + r->plan.nr_helpers++;
	h->helper = true;
	h->creator = parent;
	list_add_tail(&h->t.in_tree, &r->plan.helpers);
	log_debug("helper %d replaces a dead leader (child of %d)", pid, parent->t.pid);
	return h;
}

static int cannot_enter(const struct restore_task *rt)
{
	if (!rt->t.sid)
		return fail(
			-EOPNOTSUPP,
			"pid %d is in a session outside of its pid namespace, and no task that could fork it is: that is not supported",
			rt->t.pid);
	return fail(-EOPNOTSUPP, "pid %d is in session %d, and no task that could fork it is: that is not supported",
		    rt->t.pid, rt->t.sid);
}

/* By a task that uses its memory, in the session of that task before or after its own setsid(2). */
static int find_vm_peer_creator(struct restore_task *rt)
{
	const struct task_ids shared = { .vm = rt->t.ids.vm,
					 .files = rt->files_owner ? 0 : rt->t.ids.files,
					 .fs = rt->fs_owner ? 0 : rt->t.ids.fs,
					 .sighand = rt->sighand_owner ? 0 : rt->t.ids.sighand };
	struct task *by = tree_vm_peer_maker(&rt->t, &shared);
	pid_t sid = needed_sid(rt), before;

	if (!by)
		return fail(
			-EOPNOTSUPP,
			"pid %d shares its memory with tasks that cannot create it (neither its parent nor an older child of that): that is not supported",
			rt->t.pid);
	rt->creator = restore_task_of(by);
	rt->as_sibling = by != rt->t.parent;
	before = rt->creator->birth_sid ? rt->creator->birth_sid : session_of(by->parent ? by->parent : by);
	return !sid || sid == session_of(by) || (by->sid == by->pid && sid == before) ? 0 : cannot_enter(rt);
}

/*
 * A process that entered the pid namespace from outside (the tool does), or was forked by such a one with CLONE_PARENT: only
 * then is it in a session of the tree, which is not its own.
 */
static int find_outer_creator(struct restore *r, struct restore_task *rt)
{
	pid_t sid = needed_sid(rt);
	struct restore_task *leader = sid > 0 ? restore_find_task(r, sid) : NULL;

	if (sid <= 0 || &rt->t == r->plan.tree.root)
		return 0;
	if (!leader || leader->t.parent || &leader->t == r->plan.tree.root)
		return cannot_enter(rt);
	rt->creator = leader;
	rt->as_sibling = true;
	return 0;
}

static bool is_adopter_in_ns_of(const struct restore *r, const struct task *t, const struct restore_task *leader)
{
	if (leader->t.pid_ns)
		return leader->t.pid_ns->init == t;
	return restore_has_pid_ns(r) && t == r->plan.tree.root && t->pid == 1;
}

static int find_creator(struct restore *r, struct restore_task *rt)
{
	struct restore_task *parent = rt->t.parent ? restore_task_of(rt->t.parent) : NULL, *leader;
	pid_t sid = needed_sid(rt);

	if (restore_is_vm_peer(rt))
		return find_vm_peer_creator(rt);
	rt->creator = parent;
	if (!parent)
		return find_outer_creator(r, rt);
	if (!sid || sid == session_of(&parent->t) || sid == needed_sid(parent))
		return 0;
	leader = restore_find_task(r, sid);
	/* A zombie forks it before it exits. */
	if (leader && leader->t.parent == rt->t.parent) {
		rt->creator = leader;
		rt->as_sibling = true;
		return 0;
	}
	/* An orphan: the init of a pid namespace adopts them, or a subreaper. */
	if (leader) {
		bool by_init = is_adopter_in_ns_of(r, rt->t.parent, leader);

		rt->adopted = by_init || tree_can_adopt(rt->t.parent, &leader->t);
		parent->adopts |= rt->adopted && !by_init;
		rt->creator = rt->adopted ? leader : rt->creator;
	}
	if (rt->adopted)
		return 0;
	if (leader || sid == OUTER)
		return cannot_enter(rt);
	leader = find_helper(r, sid);
	if (!leader)
		leader = add_helper(r, sid, sid, parent);
	if (!leader || leader->t.parent != rt->t.parent)
		return cannot_enter(rt);
	rt->creator = leader;
	rt->as_sibling = true;
	return 0;
}

/* The nearest one that is a subreaper adopts it. */
static int check_adoption(const struct restore_task *rt)
{
	const struct task *t = rt->adopted ? &rt->creator->t : NULL;

	for (; t && t != rt->t.parent; t = t->parent)
		if (restore_task_of((struct task *)t)->adopts)
			return fail(
				-EOPNOTSUPP,
				"pid %d was adopted by pid %d, and pid %d, between it and the leader of its session (%d), has adopted such a process, too: that is not supported",
				rt->t.pid, rt->t.parent->pid, t->pid, rt->t.sid);
	return 0;
}

/*
 * Creators fork what needs their original session before they start their own. A group outside of the pid namespace of the tree,
 * too, can only be inherited: by way of all that fork @rt. It is always in a session from outside.
 */
static int find_moment(struct restore_task *rt)
{
	const struct restore_task *by = rt->creator;
	pid_t sid = needed_sid(rt);

	rt->early |= by && by->t.sid == by->t.pid && sid && sid != by->t.sid;
	if (rt->t.pgid)
		return 0;
	if (rt->leads_for_others)
		return fail(
			-EOPNOTSUPP,
			"pid %d is in a process group outside of its pid namespace, and others are in a group with its id: that is not supported",
			rt->t.pid);
	for (; by && by->t.pgid; rt = rt->creator, by = rt->creator) {
		if (needed_sid(rt) != OUTER)
			return fail(
				-EOPNOTSUPP,
				"pid %d is created in session %d, and has to fork one in a process group outside of its pid namespace: that is not supported",
				rt->t.pid, needed_sid(rt));
		rt->early = true;
	}
	return 0;
}

static int find_group(struct restore *r, struct restore_task *rt)
{
	struct restore_task *leader, *by = rt;
	pid_t pgid = rt->t.pgid;

	if (pgid == rt->t.pid || !pgid)
		return 0;
	rt->join_pgid = pgid;
	leader = restore_find_task(r, pgid);
	if (leader && leader->t.pgid != pgid)
		leader->leads_for_others = true;
	if (leader || find_helper(r, pgid))
		return 0;
	if (r->opts->shell_job && (pgid == r->plan.tree.root->pgid || outside(r, rt->t.sid))) {
		rt->join_pgid = r->tool.own_pgid;
		return 0;
	}
	/* A group whose leader has exited keeps its id: a helper leads it until the first member has joined. */
	if (rt->creator && (rt->t.state == TASK_DEAD || !restore_number_seen(r, rt, pgid)))
		by = rt->creator;
	if (!add_helper(r, pgid, rt->t.sid, by))
		return fail(-EOPNOTSUPP, "pid %d is in group %d, whose id is that of a thread", rt->t.pid, pgid);
	return 0;
}

/* A session starts with its leader: a task cannot be in a session without a leader, or one started by a descendant. */
static int check_session(struct restore *r, const struct restore_task *rt)
{
	const struct restore_task *leader = restore_find_task(r, rt->t.sid);

	if (leader && leader->t.sid != rt->t.sid)
		return fail(-EBADMSG, "pstree.img: pid %d is in session %d, whose leader is in session %d", rt->t.pid,
			    rt->t.sid, leader->t.sid);
	if (leader && leader != rt && &rt->t == r->plan.tree.root)
		return fail(-EBADMSG, "pstree.img: the root %d is in session %d, which one of its descendants leads",
			    rt->t.pid, rt->t.sid);
	return 0;
}

/* Nor can a task be created in a session that one of its descendants leads. */
static int check_birth(struct restore *r, const struct restore_task *rt)
{
	const struct restore_task *leader = rt->birth_sid ? restore_find_task(r, rt->birth_sid) : NULL;

	for (const struct task *t = leader ? &leader->t : NULL; t; t = t->parent)
		if (t == &rt->t)
			return fail(
				-EBADMSG,
				"pstree.img: pid %d would have to be created in session %d, which one of its descendants leads",
				rt->t.pid, rt->birth_sid);
	return 0;
}

/* The root, those that entered its pid namespace from outside, and those in a session from there. */
static int check_session_of_tool(struct restore *r, struct restore_task *rt)
{
	const struct task *parent = rt->t.parent;
	bool came_with_it = parent ? !rt->t.sid && parent->sid : !rt->creator;

	if (!came_with_it || rt->t.sid == rt->t.pid || r->opts->shell_job)
		return 0;
	return fail(-EINVAL,
		    "process %d belongs to session %d of a terminal: restore it from a terminal with --shell-job (-j)",
		    rt->t.pid, rt->t.sid);
}

/* Tables are shared from the start: a task that is not the owner must be forked by one that has the table. */
static int check_sharing(struct restore_task *rt)
{
	const struct restore_task *by = rt->creator;

	if (!rt->files_owner && (!by || by->t.ids.files != rt->t.ids.files))
		return fail(-EOPNOTSUPP,
			    "pid %d shares its descriptors with a task that cannot fork it: that is not supported",
			    rt->t.pid);
	if (!rt->fs_owner && (!by || by->t.ids.fs != rt->t.ids.fs))
		return fail(-EOPNOTSUPP,
			    "pid %d shares its directories with a task that cannot fork it: that is not supported",
			    rt->t.pid);
	if (!rt->sighand_owner && (!by || by->t.ids.sighand != rt->t.ids.sighand || by->t.ids.vm != rt->t.ids.vm))
		return fail(-EOPNOTSUPP,
			    "pid %d shares its signal handlers with a task that cannot fork it: that is not supported",
			    rt->t.pid);
	if (rt->as_sibling && rt->t.exit_signal != by->t.exit_signal)
		return fail(
			-EOPNOTSUPP,
			"pid %d sends its parent signal %d when it exits, and the task that has to fork it %d: that is not supported",
			rt->t.pid, rt->t.exit_signal, by->t.exit_signal);
	return 0;
}

/* A first thread that had exited exists until all of the tree does: its exit must not be noticed. */
static int check_leader(struct restore *r, const struct restore_task *rt)
{
	struct restore_task *other;

	if (!rt->leader_ends)
		return 0;
	if (rt->nr_threads < 2)
		return fail(-EBADMSG, "core-%d.img: its first thread has exited, and there is no other", rt->t.pid);
	restore_for_each_task(other, r) {
		if (other != rt && other->t.state != TASK_DEAD && other->mm_of == rt->mm_of)
			return fail(
				-EOPNOTSUPP,
				"pid %d: its first thread has exited, and it shares its memory with pid %d: that is not "
				"supported",
				rt->t.pid, other->t.pid);
		for (size_t i = 0; other->t.parent == &rt->t && i < other->nr_threads; i++)
			if (other->threads[i].core->thread_core->pdeath_sig)
				return fail(
					-EOPNOTSUPP,
					"pid %d: requests a signal when a thread of pid %d exits, whose first thread has "
					"exited: that is not supported",
					other->t.pid, rt->t.pid);
	}
	return 0;
}

static int link_task(struct restore *r, struct restore_task *rt)
{
	int err = check_birth(r, rt);

	if (!err)
		err = find_creator(r, rt);
	if (!err)
		err = restore_continues(r, check_session_of_tool(r, rt));
	if (!err)
		err = find_group(r, rt);
	if (!err && rt->t.state != TASK_DEAD)
		err = check_sharing(rt);
	return err ? err : check_leader(r, rt);
}

/* When every task has a creator. */
static int link_births(struct restore *r)
{
	struct restore_task *rt;
	int err = 0;

	restore_for_each_task(rt, r) {
		err = err ? err : check_adoption(rt);
		err = err ? err : find_moment(rt);
	}
	if (!err)
		err = restore_link_nested(r);
	return err ? err : restore_link_forks(r);
}

int restore_link(struct restore *r)
{
	const struct run_kind *kind;
	struct restore_task *rt;
	int err;

	err = restore_load_namespaces(r);
	run_for_each_kind(kind)
		if (!err && kind->link) {
			restore_is_about(r, kind->name, NULL, NULL);
			err = restore_continues(r, kind->link(r));
		}
	restore_for_each_task(rt, r) {
		/* Its parent is a different one now, which waits for it in the usual way. */
		if (!rt->t.parent)
			rt->t.exit_signal = SIGCHLD;
		restore_is_about(r, NULL, rt, NULL);
		err = err ? err : restore_continues(r, check_session(r, rt));
	}
	find_birth_sessions(r);
	restore_for_each_task(rt, r) {
		restore_is_about(r, NULL, rt, NULL);
		err = err ? err : restore_continues(r, link_task(r, rt));
	}
	restore_is_about(r, NULL, NULL, NULL);
	if (!err && !(r->check && r->check->incomplete))
		err = restore_continues(r, link_births(r));
	if (!err)
		err = restore_link_files(r);
	if (!err)
		restore_link_spare_tids(r);
	if (!err)
		err = restore_continues(r, openers_link(r));
	if (!err && !r->check)
		err = memory_check_available(r);
	return err || (r->check && r->check->incomplete) ? err : restore_continues(r, memory_link(r));
}
