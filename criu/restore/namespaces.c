/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Namespaces of the tree that are not the tool's own: created before any task exists, filled by their kinds, and
 * entered by each task when it is created. The namespaces of the creating process own a new one, or are visible in it
 * (a user namespace, the network of a sysfs), so those of one task are created together, in those of its namespaces
 * that exist already.
 *
 * User namespaces come first, created by their kind. Then, in this order, the namespaces that the tool's own user namespace
 * owns, and those that one of the tree owns (ns->owner), by a process that has entered it. Outer namespaces cannot be entered from
 * there, so whoever enters several goes from those outside over the user namespace to those that it owns.
 *
 * Kinds without fill_namespace are left out: a pid namespace is created with its first process (restore/fork.c), time
 * namespaces are entered by being forked (kinds/ns/time.c). The owner of a pid namespace is the user namespace of who creates
 * it. Only with capabilities there can pids be set. So if it belongs to the user namespace of the tree, the root is created by a
 * process that has entered that, and everything else is in it from birth. Otherwise each task enters it when it has forked all others.
 * A task in another user namespace than the root enters that last of all, as it has more rights outside.
 */
#include <errno.h>
#include <sched.h>
#include <unistd.h>
#include "restore/restore.h"
#include "run/notify.h"
#include "run/restore.h"
#include "run/user_ns.h"
#include "util/fds.h"
#include "util/log.h"
#include "util/proc_root.h"

/* The order in which those of one owner are entered. */
static const enum ns_type order[] = { NS_CGROUP, NS_IPC, NS_UTS, NS_NET, NS_MNT };

static bool is_made_here(enum ns_type type)
{
	const struct run_kind *kind = kind_of_namespaces(type);

	return kind && kind->fill_namespace;
}

/* ---- entering, in tasks ---- */

/* The namespace that a task inherits: that of its creator, or of its nearest ancestor with an entry in the images. */
static const struct ns *inherited_ns(const struct restore_task *rt, enum ns_type type)
{
	const struct restore_task *by = rt->creator;

	while (by && !by->ns[type])
		by = by->creator;
	return by ? by->ns[type] : NULL;
}

static bool must_enter(const struct restore_task *rt, enum ns_type type)
{
	const struct ns *ns = rt->ns[type], *from = inherited_ns(rt, type);

	return ns && ns->fd >= 0 && (from ? ns != from : !ns->own);
}

bool restore_root_is_made_inside(const struct restore *r)
{
	return restore_user_ns(r) && !restore_enters_late(r);
}

static int enter_those_of(const struct restore_task *rt, bool outer)
{
	for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
		const struct ns *ns = rt->ns[order[i]];

		if (must_enter(rt, order[i]) && !ns->owner == outer && setns(ns->fd, (int)ns_type_flag(ns->type)) < 0)
			return fail(-errno, "enter the %s namespace %u", ns_type_name(ns->type), ns->id);
	}
	return 0;
}

static int use_outer_rights(struct restore *r)
{
	int err = 0;

	for (const struct task_kind *const *kind = task_kinds; !err && *kind; kind++)
		err = (*kind)->before_user_ns ? (*kind)->before_user_ns(r) : 0;
	return err;
}

int restore_enter_namespaces(struct restore *r, const struct restore_task *rt)
{
	int err;

	/* Its maker has done that. */
	if (!rt->creator && r->process.in_namespaces)
		return 0;
	err = enter_those_of(rt, true);
	if (!err && !rt->creator && restore_user_ns(r))
		err = use_outer_rights(r);
	if (!err && !rt->creator && restore_root_is_made_inside(r)) {
		err = user_ns_enter(restore_user_ns(r));
		r->process.in_namespaces = true;
	}
	return err ? err : enter_those_of(rt, false);
}

int restore_enter_user_ns_late(struct restore *r, const struct restore_task *rt)
{
	const struct ns *user = rt->ns[NS_USER];

	return user && !user->own && restore_enters_late(r) ? user_ns_enter(user) : 0;
}

int restore_enter_nested_user_ns(struct restore *r, const struct restore_task *rt)
{
	return restore_is_nested_in_user_ns(r, rt) ?
		       user_ns_enter_nested(rt->ns[NS_USER], rt->core->thread_core->creds) :
		       0;
}

/* ---- creation, in the tool ---- */

static int keep_own_open(struct restore *r, struct ns *ns)
{
	int fd = open_fmt(proc_root(), O_RDONLY | O_CLOEXEC, "self/ns/%s", ns_type_name(ns->type));

	if (fd >= 0) {
		ns->fd = move_fd_above(fd, r->service_base);
		if (ns->fd < 0)
			close(fd);
		fd = ns->fd;
	}
	return fd < 0 ? fail(fd, "open /proc/self/ns/%s", ns_type_name(ns->type)) : 0;
}

struct creation {
	struct restore *r;
	struct ns *fresh[NS_TYPES]; /* in the order of @order */
	size_t nr_fresh;
};

/* Runs in the new namespaces. */
static int keep_and_fill(void *arg)
{
	const struct creation *c = arg;
	int err = 0;

	for (size_t i = 0; !err && i < c->nr_fresh; i++)
		err = keep_own_open(c->r, c->fresh[i]);
	for (size_t i = 0; !err && i < c->nr_fresh; i++)
		err = kind_of_namespaces(c->fresh[i]->type)->fill_namespace(c->r, c->fresh[i]);
	return err;
}

/* The namespaces of @rt that exist, in the order in which they can be entered: those that @user owns after @user. */
static size_t list_existing(const struct restore_task *rt, const struct ns *user, const struct ns *ret_in[NS_TYPES])
{
	size_t nr = 0;

	for (int owned = 0; owned < 2; owned++) {
		if (owned && user)
			ret_in[nr++] = user;
		for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
			const struct ns *ns = rt->ns[order[i]];

			if (ns && !ns->own && ns->fd >= 0 && (ns->owner && ns->owner == user) == owned)
				ret_in[nr++] = ns;
		}
	}
	return nr;
}

static int create_owned_by(struct restore *r, const struct restore_task *rt, const struct ns *owner)
{
	struct creation creation = { .r = r };
	const struct ns *in[NS_TYPES];
	size_t nr = list_existing(rt, owner, in);
	unsigned flags = 0;

	for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
		struct ns *ns = rt->ns[order[i]];

		if (!ns || ns->own || !is_made_here(order[i]) || ns->fd >= 0 || ns->owner != owner)
			continue;
		creation.fresh[creation.nr_fresh++] = ns;
		flags |= ns_type_flag(order[i]);
	}
	if (!flags)
		return 0;
	LOG_SCOPE("namespaces of process %d", rt->t.pid);
	if (rights_need(&r->tool.rights, RIGHT_NAMESPACES, "create them"))
		return -EPERM;
	return restore_run_in(in, nr, flags, keep_and_fill, &creation);
}

static int create_those_of(struct restore *r, const struct restore_task *rt)
{
	int err = create_owned_by(r, rt, NULL);
	const struct ns *user;

	ns_for_each(user, &r->plan.namespaces, NS_USER)
		if (!err && !user->own)
			err = create_owned_by(r, rt, user);
	return err;
}

/* Those whose parent exists. *ret_made: how many. */
static int create_some_user_namespaces(struct restore *r, size_t *ret_made)
{
	const struct run_kind *kind = kind_of_namespaces(NS_USER);
	struct ns *ns;
	int err = 0;

	*ret_made = 0;
	ns_for_each(ns, &r->plan.namespaces, NS_USER) {
		if (err || ns->own || ns->fd >= 0 || (ns->owner && ns->owner->fd < 0))
			continue;
		err = kind->make_namespace(r, ns);
		++*ret_made;
	}
	return err;
}

static int create_user_namespaces(struct restore *r)
{
	size_t made;
	int err;

	do
		err = create_some_user_namespaces(r, &made);
	while (!err && made);
	return err;
}

static size_t count(const struct restore *r, enum ns_type type)
{
	const struct ns *ns;
	size_t nr = 0;

	ns_for_each(ns, &r->plan.namespaces, type)
		nr++;
	return nr;
}

/* If there are others of the type in the tree, tasks also enter the tool's own through a descriptor. */
static int open_those_of_tool(struct restore *r)
{
	int err = 0;

	for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
		struct ns *ns;

		ns_for_each(ns, &r->plan.namespaces, order[i])
			if (!err && ns->own && is_made_here(order[i]) && count(r, order[i]) > 1)
				err = keep_own_open(r, ns);
	}
	return err;
}

int restore_make_namespaces(struct restore *r)
{
	const struct restore_task *root = restore_task_of(r->plan.tree.root);
	struct restore_task *rt;
	int err = open_those_of_tool(r);

	if (!err)
		err = create_user_namespaces(r);
	restore_for_each_task(rt, r)
		if (!err)
			err = create_those_of(r, rt);
	if (!err)
		r->tool.nr_inside = list_existing(root, restore_user_ns(r), r->tool.inside);
	return err;
}

bool restore_announces_namespaces(const struct restore *r)
{
	const struct ns *ns = r->plan.namespaces.first;

	while (ns && (ns->own || ns->type == NS_TIME))
		ns = ns->next;
	return ns && notify_wanted(r->opts);
}

void restore_close_namespaces(struct restore *r)
{
	for (struct ns *ns = r->plan.namespaces.first; ns; ns = ns->next) {
		if (ns->fd >= 0)
			close(ns->fd);
		if (ns->root >= 0 && ns->root != r->roots.root)
			close(ns->root);
		ns->fd = ns->root = -1;
	}
	r->tool.nr_inside = 0;
}

static int load(struct restore *r, struct ns *ns)
{
	const struct run_kind *kind = ns->own || ns->joined ? NULL : kind_of_namespaces(ns->type);

	return kind && kind->load_namespace ? kind->load_namespace(r, ns) : 0;
}

int restore_load_user_namespaces(struct restore *r)
{
	const struct restore_task *root = restore_task_of(r->plan.tree.root);
	const struct ns *user = restore_user_ns(r);
	struct ns *ns;
	int err = 0;

	ns_for_each(ns, &r->plan.namespaces, NS_USER)
		if (!err)
			err = load(r, ns);
	if (!err && user)
		r->rights = rights_in_user_ns(root->ns[NS_PID]->owner == user, root->ns[NS_NET]->owner == user);
	return err;
}

int restore_load_namespaces(struct restore *r)
{
	int err = 0;

	for (struct ns *ns = r->plan.namespaces.first; !err && ns; ns = ns->next)
		err = ns->type == NS_USER ? 0 : load(r, ns);
	return err;
}
