// SPDX-License-Identifier: GPL-2.0-only
/* Mount namespaces: mounts, with the file systems that exist only in them. mount_namespaces(7) */
#include <errno.h>
#include <unistd.h>
#include "base/bits.h"
#include "kinds/kinds.h"
#include "kinds/ns/mnt/restore.h"
#include "kinds/ns/mnt/save.h"
#include "run/path.h"
#include "util/log.h"

static int mnt_survey(struct dump *dump)
{
	return mounts_survey(dump);
}

static int mnt_save(struct dump *dump, struct ns *ns)
{
	return mounts_save(dump, ns);
}

static int mnt_load(struct restore *r, struct ns *ns)
{
	return mounts_load(r, ns);
}

static int mnt_link(struct restore *r)
{
	const struct ns *first = restore_task_of(r->plan.tree.root)->ns[NS_MNT];
	struct restore_task *rt;

	restore_for_each_task(rt, r)
		if (rt->ns[NS_MNT] && rt->ns[NS_MNT] != first)
			return fail(
				-EOPNOTSUPP,
				"process %d lived in another mount namespace than the root of the tree: nested mount namespaces are not implemented",
				rt->t.pid);
	return 0;
}

static int mnt_prepare(struct restore *r)
{
	struct ns *ns;
	int err = 0;

	ns_for_each(ns, &r->plan.namespaces, NS_MNT)
		if (!err && ns->data)
			err = mounts_open_sources(r, ns->data);
	return err;
}

/* From here on paths of the tree begin there. */
static int mnt_fill(struct restore *r, struct ns *ns)
{
	int err = mounts_build(r, ns);

	if (!err && ns == restore_task_of(r->plan.tree.root)->ns[NS_MNT])
		restore_set_root(r, ns->root);
	return err;
}

static int mnt_at_birth(struct restore *r, const struct restore_task *task)
{
	struct ns *ns = task->ns[NS_MNT];
	int err;

	if (!ns || ns->own)
		return 0;
	/* It is the root of this process. */
	r->roots = PATH_OWN;
	if (ns->member != &task->t)
		return 0;
	err = mounts_finish(r, ns);
	mounts_close(r);
	return err;
}

/* Every task has its own copies, or none. */
static int mnt_ready(struct restore *r)
{
	mounts_close(r);
	return 0;
}

static void mnt_committed(struct restore *r)
{
	mount_points_end(r, false);
}

/* A mount point cannot be removed from inside the namespace that it is used in. */
static void mnt_failed(struct restore *r)
{
	mounts_close(r);
	mount_points_end(r, true);
}

const struct run_kind mnt_ns_run = {
	.name = "mount namespace",
	.namespaces = BIT(NS_MNT),
	.survey = mnt_survey,
	.save_namespace = mnt_save,
	.load_namespace = mnt_load,
	.link = mnt_link,
	.prepare = mnt_prepare,
	.fill_namespace = mnt_fill,
	.at_birth = mnt_at_birth,
	.ready = mnt_ready,
	.committed = mnt_committed,
	.failed_outside = mnt_failed,
};
