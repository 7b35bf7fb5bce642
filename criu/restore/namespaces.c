/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Namespaces of the tree that are not the tool's own: created before any task exists, filled by their kinds, and
 * entered by each task when it is created. The namespaces of the creating process own a new one, or are visible in it
 * (a user namespace, the network of a sysfs), so those of one task are created together, in those of its namespaces
 * that exist already.
 *
 * Kinds without fill_namespace are left out: a pid namespace is created with its first process (restore/fork.c), time
 * namespaces are entered by being forked (kinds/ns/time.c).
 */
#include <errno.h>
#include <sched.h>
#include <unistd.h>
#include "kernel/ns_run.h"
#include "restore/restore.h"
#include "run/restore.h"
#include "util/fds.h"
#include "util/log.h"
#include "util/proc_root.h"

/* The order in which they are entered: a user namespace gives the capabilities for the others. */
static const enum ns_type order[] = { NS_USER, NS_CGROUP, NS_IPC, NS_UTS, NS_NET, NS_MNT };

static bool is_made_here(enum ns_type type)
{
	const struct run_kind *kind = kind_of_namespaces(type);

	return kind && kind->fill_namespace;
}

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

int restore_enter_namespaces(struct restore *r, const struct restore_task *rt)
{
	for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
		const struct ns *ns = rt->ns[order[i]];

		if (must_enter(rt, order[i]) && setns(ns->fd, (int)ns_type_flag(ns->type)) < 0)
			return fail(-errno, "enter the %s namespace %u", ns_type_name(ns->type), ns->id);
	}
	return 0;
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

static int create_those_of(struct restore *r, const struct restore_task *rt)
{
	struct creation creation = { .r = r };
	unsigned flags = 0;
	int existing[NS_TYPES], result = 0, err;
	size_t nr_existing = 0;

	for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
		struct ns *ns = rt->ns[order[i]];

		if (!ns || ns->own || !is_made_here(order[i]))
			continue;
		if (ns->fd >= 0) {
			existing[nr_existing++] = ns->fd;
			continue;
		}
		creation.fresh[creation.nr_fresh++] = ns;
		flags |= ns_type_flag(order[i]);
	}
	if (!flags)
		return 0;
	err = ns_run_in_new(existing, nr_existing, flags, keep_and_fill, &creation, &result);
	if (err)
		return fail(err, "create the namespaces of process %d: %s", rt->t.pid,
			    rights_may(&r->rights, RIGHT_NAMESPACES) ? "unshare(2)" : rights_text(RIGHT_NAMESPACES));
	return result;
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

	restore_for_each_task(rt, r)
		if (!err)
			err = create_those_of(r, rt);
	for (size_t i = 0; !err && i < ARRAY_SIZE(order); i++)
		if (must_enter(root, order[i]))
			r->tool.inside[r->tool.nr_inside++] = root->ns[order[i]]->fd;
	return err;
}

void restore_close_namespaces(struct restore *r)
{
	for (struct ns *ns = r->plan.namespaces.first; ns; ns = ns->next) {
		if (ns->fd >= 0)
			close(ns->fd);
		ns->fd = -1;
	}
	r->tool.nr_inside = 0;
}

int restore_load_namespaces(struct restore *r)
{
	int err = 0;

	for (struct ns *ns = r->plan.namespaces.first; !err && ns; ns = ns->next) {
		const struct run_kind *kind = ns->own ? NULL : kind_of_namespaces(ns->type);

		err = kind && kind->load_namespace ? kind->load_namespace(r, ns) : 0;
	}
	return err;
}
