/* SPDX-License-Identifier: GPL-2.0-only */
/* Reads and checks the records of processes in nested pid namespaces. Nothing is created yet. */
#include <errno.h>
#include <stdint.h>
#include "pie/wire.h"
#include "pstree.pb-c.h"
#include "restore/nested.h"
#include "restore/restore.h"
#include "run/restore.h"
#include "util/log.h"

static int bad(const struct task *t, const char *what)
{
	return fail(-EBADMSG, "pstree.img: process %d in a nested pid namespace: %s", t->pid, what);
}

/* NULL: they are not as many, not valid, or there is no memory. */
static const pid_t *take(struct restore *r, const uint32_t *numbers, size_t n, size_t want, bool may_be_0)
{
	pid_t *taken = n == want ? restore_alloc(r, (n + 1) * sizeof(*taken)) : NULL;

	for (size_t i = 0; taken && i < n; i++) {
		if (numbers[i] > INT32_MAX || (!numbers[i] && !may_be_0))
			return NULL;
		taken[i] = (pid_t)numbers[i];
	}
	return taken;
}

static int note_init(struct restore_task *rt, struct ns *ns)
{
	if (rt->t.inner_pid[ns->depth - 1] != 1)
		return 0;
	if (ns->init)
		return bad(&rt->t, "its namespace has another first process, too");
	ns->init = &rt->t;
	return 0;
}

int restore_load_nested(struct restore *r, struct restore_task *rt, const PstreeEntry *e)
{
	const NestedPidsEntry *n = e->nested;
	size_t depth = n ? n->n_pid : 0;
	struct ns *ns;

	if (!n)
		return 0;
	if (!r->plan.tree.root || !n->ns_id || n->ns_id == r->plan.own_ns_ids[NS_PID] || !depth ||
	    depth >= PID_LEVELS_MAX)
		return bad(&rt->t, "invalid namespace");
	ns = ns_set_get_id(&r->plan.namespaces, &r->arena, NS_PID, n->ns_id, false);
	if (!ns)
		return fail(-ENOMEM, "namespaces");
	if ((ns->depth && ns->depth != depth) || ns == restore_task_of(r->plan.tree.root)->ns[NS_PID])
		return bad(&rt->t, "another process of its namespace has a different number of pids");
	ns->depth = (unsigned)depth;
	rt->nested = n;
	rt->t.pid_ns = ns;
	rt->t.inner_pid = take(r, n->pid, n->n_pid, depth, false);
	rt->t.inner_pgid = take(r, n->pgid, n->n_pgid, depth, true);
	rt->t.inner_sid = take(r, n->sid, n->n_sid, depth, true);
	if (!rt->t.inner_pid || !rt->t.inner_pgid || !rt->t.inner_sid)
		return bad(&rt->t, "invalid numbers");
	return note_init(rt, ns);
}

int restore_load_nested_threads(struct restore *r, struct restore_task *rt)
{
	const NestedPidsEntry *n = rt->nested;
	const pid_t *tids;

	/* Namespaces that tasks are in are read after their numbers. */
	if (rt->ns[NS_PID] != (rt->t.pid_ns ?: restore_task_of(r->plan.tree.root)->ns[NS_PID]))
		return fail(-EBADMSG, "ids-%d.img, pstree.img: different pid namespaces", rt->t.pid);
	if (!n)
		return 0;
	tids = take(r, n->threads, n->n_threads, n->n_pid * rt->nr_threads, false);
	for (size_t i = 0; tids && i < rt->nr_threads; i++)
		rt->threads[i].id.inner = tids + i * n->n_pid;
	return tids ? 0 : bad(&rt->t, "invalid thread ids");
}

static int find_outer(struct restore *r, struct ns *ns)
{
	const struct restore_task *init = ns->init ? restore_task_of(ns->init) : NULL;
	struct ns *other;

	if (!init)
		return fail(-EBADMSG, "pstree.img: the nested pid namespace %u has no first process", ns->id);
	if (init->nested->has_parent_id != (ns->depth > 1))
		return bad(ns->init, "the namespace around its own");
	ns_for_each(other, &r->plan.namespaces, NS_PID)
		if (init->nested->has_parent_id && other->id == init->nested->parent_id &&
		    other->depth == ns->depth - 1)
			ns->outer = other;
	return ns->depth == 1 || ns->outer ? 0 : bad(ns->init, "the namespace around its own is missing");
}

/* The deepest namespace in which one of these numbers is visible; NULL: only in that of the root. */
static const struct ns *deepest(const struct ns *ns, const pid_t *at)
{
	while (ns && !at[ns->depth - 1])
		ns = ns->outer;
	return ns;
}

static bool agree(const struct inner_numbers *a, const struct inner_numbers *b)
{
	unsigned depth = a->ns->depth < b->ns->depth ? a->ns->depth : b->ns->depth;

	for (unsigned i = 0; i < depth; i++)
		if (a->at[i] != b->at[i])
			return false;
	return ns_is_within(a->ns, b->ns) || ns_is_within(b->ns, a->ns);
}

static int note(struct restore *r, pid_t number, const struct ns *ns, const pid_t *at)
{
	struct inner_numbers *n = hash_get_ptr(&r->plan.inner_numbers, (uint64_t)number);
	struct inner_numbers now = { deepest(ns, at), at };

	if (!number || !now.ns)
		return 0;
	if (n && !agree(n, &now))
		return fail(-EBADMSG,
			    "pstree.img: number %d is not the same for all processes in nested pid namespaces", number);
	if (n) {
		if (now.ns->depth > n->ns->depth)
			*n = now;
		return 0;
	}
	n = restore_alloc(r, sizeof(*n));
	if (!n || hash_put_ptr(&r->plan.inner_numbers, (uint64_t)number, n))
		return fail(-ENOMEM, "pids");
	*n = now;
	return 0;
}

/* Each number is that of one process or thread in each namespace. */
static int check_unique(struct hash *seen, const struct ns *ns, const pid_t *at)
{
	for (; ns; ns = ns->outer) {
		const pid_t number = at[ns->depth - 1];
		bool fresh;

		if (!hash_slot_of(seen, (uint64_t)ns->id << 32 | (uint32_t)number, &fresh))
			return fail(-ENOMEM, "pids");
		if (!fresh)
			return fail(-EBADMSG, "pstree.img: duplicate number %d in the pid namespace %u", number,
				    ns->id);
	}
	return 0;
}

static int note_task(struct restore *r, struct hash *seen, const struct restore_task *rt)
{
	const struct task *t = &rt->t;
	int err = t->pid_ns ? check_unique(seen, t->pid_ns, t->inner_pid) : 0;

	if (!err && t->pid_ns)
		err = note(r, t->pid, t->pid_ns, t->inner_pid);
	for (size_t i = 0; !err && t->pid_ns && i < rt->nr_threads; i++) {
		err = i ? check_unique(seen, t->pid_ns, rt->threads[i].id.inner) : 0;
		err = err ? err : note(r, rt->threads[i].id.tid, t->pid_ns, rt->threads[i].id.inner);
	}
	if (!err && t->pid_ns)
		err = note(r, t->pgid, t->pid_ns, t->inner_pgid);
	return err || !t->pid_ns ? err : note(r, t->sid, t->pid_ns, t->inner_sid);
}

int restore_find_nested(struct restore *r)
{
	struct restore_task *rt;
	struct hash seen = { 0 };
	struct ns *ns;
	int err = 0;

	ns_for_each(ns, &r->plan.namespaces, NS_PID)
		if (!err && ns->depth)
			err = find_outer(r, ns);
	restore_for_each_task(rt, r)
		if (!err)
			err = note_task(r, &seen, rt);
	hash_free(&seen);
	return err;
}
