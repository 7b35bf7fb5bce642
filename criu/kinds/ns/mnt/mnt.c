// SPDX-License-Identifier: GPL-2.0-only
/* Mount namespaces: mounts, with the file systems that exist only in them. mount_namespaces(7) */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>
#include "base/bits.h"
#include "kernel/ns_run.h"
#include "kinds/kinds.h"
#include "kinds/ns/mnt/autofs.h"
#include "kinds/ns/mnt/idmap.h"
#include "kinds/ns/mnt/restore.h"
#include "kinds/ns/mnt/save.h"
#include "kinds/ns/mnt/undo.h"
#include "run/path.h"
#include "util/fds.h"
#include "util/hash.h"
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

/* Are there others than that of the root of the tree? */
static bool has_nested(const struct restore *r)
{
	const struct ns *ns, *first = restore_task_of(r->plan.tree.root)->ns[NS_MNT];

	ns_for_each(ns, &r->plan.namespaces, NS_MNT)
		if (ns != first && ns->data)
			return true;
	return false;
}

static int mnt_link(struct restore *r)
{
	const struct ns *first = restore_task_of(r->plan.tree.root)->ns[NS_MNT];
	struct restore_task *rt;

	restore_for_each_task(rt, r)
		if (rt->ns[NS_MNT] && rt->ns[NS_MNT] != first && rt->ns[NS_MNT]->own)
			return fail(
				-EOPNOTSUPP,
				"process %d lived in the mount namespace of CRIU, but the root of the tree did not: that is not supported",
				rt->t.pid);
	if (first->joined && has_nested(r))
		return fail(-EOPNOTSUPP,
			    "--join-ns mnt: the tree had several mount namespaces of its own: that is not supported");
	return mounts_check(r);
}

static int mnt_check(struct restore *r)
{
	int err = mounts_check_sources(r);

	return autofs_check(r) ?: err;
}

/* A root in the tool's mount namespace, below which tasks in others look up what is in that. */
static int open_own_root(struct restore *r, struct ns *first)
{
	int fd;

	if (!first->own || r->roots.root >= 0)
		return 0;
	fd = path_open(&PATH_OWN, PATH_ROOT_MOUNT, "/", O_PATH | O_DIRECTORY); /* of the tool */
	if (fd < 0)
		return fail(fd, "open the root directory");
	first->root = move_fd_above(fd, r->service_base);
	return first->root < 0 ? fail(first->root, "keep the root directory open") : 0;
}

struct opened {
	int fd;
};

static int open_here(void *arg)
{
	struct opened *opened = arg;

	opened->fd = path_open(&PATH_OWN, PATH_ROOT_MOUNT, "/", O_PATH | O_DIRECTORY); /* of the joined namespace */
	return opened->fd < 0 ? opened->fd : 0;
}

/* --join-ns: paths of the tree begin at its root. */
static int open_joined_root(struct restore *r, struct ns *ns)
{
	struct opened opened = { -1 };
	int result = 0, err = ns_run_in(&ns->fd, 1, open_here, &opened, &result);

	if (err || result)
		return fail(err ?: result, "open the root directory of the mount namespace to join");
	ns->root = move_fd_above(opened.fd, r->service_base);
	if (ns->root < 0) {
		close(opened.fd);
		return fail(ns->root, "keep a root directory open");
	}
	restore_set_root(r, ns->root);
	return 0;
}

static int mnt_prepare(struct restore *r)
{
	struct ns *first = restore_task_of(r->plan.tree.root)->ns[NS_MNT];
	int err = mounts_make_idmaps(r);

	if (!err)
		err = autofs_prepare(r);
	if (!err)
		err = mounts_open_sources(r);
	if (!err)
		err = mount_undo_prepare(r);
	if (!err)
		err = mounts_copy_sources(r);
	if (!err && first->joined)
		err = open_joined_root(r, first);
	return err || !has_nested(r) ? err : open_own_root(r, first);
}

static int note_mounts(struct restore *r, const struct ns *ns)
{
	struct mount *mount;
	int err = 0;

	mounts_for_each(mount, (const struct mounts *)ns->data)
		err = err ?: hash_put(&r->roots_by_mount, mount->entry->mnt_id, (uint64_t)ns->root);
	return err ? fail(err, "mounts") : 0;
}

/* From here on paths of the tree begin there. */
static int mnt_fill(struct restore *r, struct ns *ns)
{
	int err = mounts_build(r, ns);

	if (!err && ns == restore_task_of(r->plan.tree.root)->ns[NS_MNT])
		restore_set_root(r, ns->root);
	if (!err && has_nested(r)) {
		err = note_mounts(r, ns);
		r->roots.by_mount = &r->roots_by_mount;
	}
	return err;
}

/* The root of its namespace is that of this process. */
static void set_roots(struct restore *r, const struct ns *ns)
{
	const struct ns *first = restore_task_of(r->plan.tree.root)->ns[NS_MNT];

	if (!has_nested(r)) {
		if (!ns->own)
			r->roots = PATH_OWN;
		return;
	}
	r->roots.inside = ns->root;
	if (!first->own || first->root >= 0)
		r->roots.root = ns == first ? PATH_OWN.root : first->root;
}

static int mnt_at_birth(struct restore *r, const struct restore_task *task)
{
	const struct ns *ns = task->ns[NS_MNT];
	int err;

	if (!ns)
		return 0;
	set_roots(r, ns);
	if (&task->t != r->plan.tree.root)
		return 0;
	err = mounts_finish(r);
	if (!r->plan.all_born_first)
		mounts_close(r);
	return err;
}

static int mnt_all_born(struct restore *r)
{
	int err = mounts_finish_nested(r);

	mounts_close(r);
	return err;
}

/* Every task has its own copies, or none. */
static int mnt_ready(struct restore *r)
{
	mounts_close(r);
	autofs_close(r);
	return 0;
}

static void mnt_running(struct restore *r)
{
	mount_undo_end(r, false);
}

/* A mount point cannot be removed from inside the namespace that it is used in. */
static void mnt_failed(struct restore *r)
{
	mounts_close(r);
	autofs_close(r);
	mount_undo_end(r, true);
}

const struct run_kind mnt_ns_run = {
	.name = "mount namespace",
	.namespaces = BIT(NS_MNT),
	.can_join = true,
	.survey = mnt_survey,
	.save_namespace = mnt_save,
	.load_namespace = mnt_load,
	.link = mnt_link,
	.check = mnt_check,
	.prepare = mnt_prepare,
	.fill_namespace = mnt_fill,
	.at_birth = mnt_at_birth,
	.all_born = mnt_all_born,
	.ready = mnt_ready,
	.running = mnt_running,
	.failed_outside = mnt_failed,
};
