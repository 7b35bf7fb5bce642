// SPDX-License-Identifier: GPL-2.0-only
/*
 * Creates the mounts of a namespace, in two steps: when the namespace exists, all but what shows the pid namespace (proc) and what lies
 * below that; and the rest in the first process in it. Only then are flags and propagation set, so that files can be created
 * meanwhile, and nothing is propagated. What shows a nested pid namespace is a third step, when all tasks exist, and have not
 * opened files yet.
 */
#include <errno.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "kernel/ns_run.h"
#include "kinds/ns/mnt/fs_type.h"
#include "kinds/ns/mnt/hides.h"
#include "kinds/ns/mnt/options.h"
#include "kinds/ns/mnt/points.h"
#include "kinds/ns/mnt/removed.h"
#include "kinds/ns/mnt/restore.h"
#include "kinds/ns/mnt/whole.h"
#include "run/path.h"
#include "util/fds.h"
#include "util/log.h"

static int set_propagation(int fd, uint64_t propagation)
{
	struct mount_attr attr = { .propagation = propagation };

	return mount_setattr(fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0 ? -errno : 0;
}

/* In the place of the tool's root, which the new namespace began with a copy of. */
static int change_root(struct restore *r, const struct mounts *m)
{
	const struct mount *root = m->root;
	int err = mount_attach_to_root(root->fd);

	if (err)
		return fail(err, "mount /: attach it");
	if (fchdir(root->fd) < 0 || syscall(SYS_pivot_root, ".", ".") < 0)
		return fail(-errno, "mount /: make it the root");
	err = mounts_detach_origins(r);
	if (err)
		return err;
	return umount2("/", MNT_DETACH) < 0 ? fail(-errno, "unmount the former root") : 0;
}

/* The server of a FUSE file system is not asked; to others than its user even that is denied, and it is taken for a directory. */
static int type_of(int fd, mode_t *ret)
{
	struct statx sx;

	if (!statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &sx))
		*ret = sx.stx_mode;
	else if (errno == EACCES)
		*ret = S_IFDIR;
	else
		return -errno;
	return 0;
}

static int open_point(struct restore *r, const struct mount *mount)
{
	const char *path = mount_below(MOUNT_NAME(mount->parent), MOUNT_NAME(mount));
	const struct fs_type *type = mount->fs->type;
	mode_t mode = type && type->is_file ? S_IFREG : S_IFDIR;
	int fd;

	/* Only an origin that is not there yet is a directory for certain. */
	int err = mount->fd >= 0 ? type_of(mount->fd, &mode) : 0;
	if (err)
		return fail(err, "mount %s: stat", MOUNT_NAME(mount));
	if (!*path)
		return dup_fd_above(mount->parent->fd, r->service_base);
	fd = mount_point_open(r, mount->parent, path, S_ISDIR(mode));
	return fd < 0 ? fail(fd, "mount %s: open, or create, its mount point in %s", MOUNT_NAME(mount),
			     MOUNT_NAME(mount->parent)) :
			fd;
}

static int attach(const struct mount *mount, int point)
{
	if (move_mount(mount->fd, "", point, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
		return fail(-errno, "mount %s: attach it", MOUNT_NAME(mount));
	return 0;
}

static int attach_or_keep(struct restore *r, struct mount *mount)
{
	_cleanup_close_ int point = -1;

	if (!mount->parent || mount->parent->deferred || mount->left_out || mount_hides_nothing(mount))
		return 0;
	point = open_point(r, mount);
	if (point < 0)
		return point;
	if (!mount->deferred)
		return attach(mount, point);
	mount->point = move_fd_above(point, r->service_base);
	if (mount->point >= 0)
		point = -1;
	return mount->point < 0 ? fail(mount->point, "keep a mount point open") : 0;
}

/* 1: it is attached now; 0: that is not possible yet, or it was before. */
static int attach_if_possible(struct restore *r, struct mount *mount, bool late)
{
	int err = 0;

	if (mount->attached || (mount->parent && !mount->parent->attached))
		return 0;
	if (mount->fd < 0 && mount_is_late(mount)) {
		err = late ? mount->fs->type->is_ready(r, mount) : 0;
		if (err <= 0)
			return err;
		err = mount_clone_late(r, mount);
	}
	if (!err)
		err = attach_or_keep(r, mount);
	mount->attached = !err;
	return err ? err : 1;
}

/* All that are not late first, so that the paths of others lead where they did. */
static int attach_all(struct restore *r, const struct mounts *m)
{
	struct mount *mount;
	bool late = false, again;
	int done;

	do {
		again = !late;
		mounts_for_each(mount, m) {
			done = attach_if_possible(r, mount, late);
			if (done < 0)
				return done;
			again |= done > 0;
		}
		late = true;
	} while (again);
	mounts_for_each(mount, m)
		if (!mount->attached && mount_is_late(mount))
			return mount->fs->type->refuse(mount);
	return 0;
}

/*
 * Until the tree's own proc exists, the tool's is in its place: for calls that need a /proc, and because in a user namespace
 * proc can only be mounted where one is visible as a whole. In a namespace that a user namespace owns, mounts can only be
 * copied together with what is mounted on them.
 */
static int open_stand_in(struct mounts *m, bool whole_tree)
{
	_cleanup_close_ int at = -1;
	struct mount *mount;

	mounts_for_each(mount, m)
		if (mount->deferred && mount->fs->whole == mount && mount->fs->type->shows & BIT(NS_PID))
			break;
	if (!mount)
		return 0;
	at = path_open(&PATH_OWN, PATH_ROOT_MOUNT, "/proc", O_PATH | O_DIRECTORY); /* style: of the tool */
	if (at < 0)
		return 0;
	m->proc = open_tree(at, "",
			    AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (whole_tree ? AT_RECURSIVE : 0));
	m->proc_of = mount;
	return m->proc < 0 ? fail(-errno, "copy the mount of /proc") : 0;
}

static int attach_stand_in(struct restore *r, struct mounts *m)
{
	const unsigned flags = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH;
	int fd;

	if (m->proc < 0 || m->proc_of->point < 0)
		return 0;
	if (move_mount(m->proc, "", m->proc_of->point, "", flags) < 0)
		return fail(-errno, "mount %s: attach the tool's in its place", MOUNT_NAME(m->proc_of));
	fd = move_fd_above(m->proc, r->service_base);
	if (fd >= 0)
		m->proc = fd;
	return fd < 0 ? fail(fd, "keep a mount open") : 0;
}

static int detach_stand_in(struct mounts *m)
{
	if (m->proc < 0 || m->proc_of->point < 0)
		return 0;
	if (fchdir(m->proc) < 0 || umount2(".", MNT_DETACH) < 0 || fchdir(m->root->fd) < 0)
		return fail(-errno, "mount %s: unmount the tool's", MOUNT_NAME(m->proc_of));
	return 0;
}

/* NULL: nothing is mounted on the root directory of @mount. */
static const struct mount *mounted_on(const struct mount *mount)
{
	const struct mount *at = mount->children;

	while (at && (at->deferred || *mount_below(MOUNT_NAME(mount), MOUNT_NAME(at))))
		at = at->sibling;
	return at;
}

/* The uppermost of those that are mounted on the root directory. */
static int open_root(struct restore *r, const struct mounts *m)
{
	const struct mount *top = m->root, *next;

	while ((next = mounted_on(top)))
		top = next;
	return dup_fd_above(top->fd, r->service_base);
}

int mounts_build(struct restore *r, struct ns *ns)
{
	struct mounts *m = ns->data;
	int err = mounts_make_private();

	if (err)
		return fail(err, "make the mounts of a new mount namespace private");
	if (!mount_restore_data(r)->cloned)
		err = mounts_clone(r, MOUNTS_FIRST);
	mount_restore_data(r)->cloned = true;
	if (!err)
		err = open_stand_in(m, ns->owner);
	if (!err)
		err = change_root(r, m);
	if (!err)
		err = attach_all(r, m);
	if (!err)
		err = attach_stand_in(r, m);
	if (err)
		return err;
	ns->root = open_root(r, m);
	return ns->root < 0 ? fail(ns->root, "keep a root directory open") : 0;
}

/* ---- in the first process of the namespace ---- */

static int attach_deferred(struct restore *r, struct mount *mount, bool nested)
{
	_cleanup_close_ int point = -1;

	if (!mount->deferred || mount->of_nested != nested || mount->left_out || mount_hides_nothing(mount))
		return 0;
	if (mount->point >= 0)
		return attach(mount, mount->point);
	point = open_point(r, mount);
	return point < 0 ? point : attach(mount, point);
}

static int set_flags(const struct mount *mount)
{
	struct mount_attr attr = { .attr_set = mount_attributes(mount->entry->flags),
				   .attr_clr = MOUNT_ALL_ATTRIBUTES };

	const struct fs_type *type = mount->fs->type;

	/* Nothing but the default, with which a file system is created, and copied, unless the kernel has only one (create.c). */
	if (!attr.attr_set && type && type->fill && !type->single)
		return 0;
	return mount_setattr(mount->fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0 ?
		       fail(-errno, "mount %s: set its flags", MOUNT_NAME(mount)) :
		       0;
}

static int set_unbindable(const struct mount *mount)
{
	int err = mount->entry->flags & MNT_FLAG_UNBINDABLE ? set_propagation(mount->fd, MS_UNBINDABLE) : 0;

	return err ? fail(err, "mount %s: make it unbindable", MOUNT_NAME(mount)) : 0;
}

static int finish_tree(struct restore *r, struct mounts *m, bool nested)
{
	struct mount *mount;
	int err = m->proc_of && m->proc_of->of_nested == nested ? detach_stand_in(m) : 0;

	mounts_for_each(mount, m)
		if (!err)
			err = attach_deferred(r, mount, nested);
	return err;
}

static int set_properties(const struct mounts *m)
{
	struct mount *mount;
	int err = 0;

	mounts_for_each(mount, m) {
		if (mount->left_out)
			continue;
		if (!err)
			err = set_flags(mount);
		if (!err && mount->fs->whole == mount)
			err = mount_settle_fs(mount);
		if (!err)
			err = set_unbindable(mount);
	}
	return err;
}

static int finish_trees(struct restore *r, struct mount_visit *visit, bool nested)
{
	int err = mounts_clone(r, nested ? MOUNTS_NESTED : MOUNTS_DEFERRED);
	struct ns *ns;

	if (!err)
		err = mounts_detach_origins(r);
	ns_for_each(ns, &r->plan.namespaces, NS_MNT) {
		if (!err && ns->data)
			err = mount_visit_ns(visit, ns);
		if (!err && ns->data)
			err = finish_tree(r, ns->data, nested);
	}
	return err;
}

static int finish_all(struct restore *r, const struct ns *first, bool nested)
{
	const struct ns_set *all = &r->plan.namespaces;
	struct mount_visit visit = { first };
	int err = finish_trees(r, &visit, nested);
	struct ns *ns;

	if (err || nested != r->plan.all_born_first)
		return err;
	err = mounts_unlink_removed(r);
	if (!err)
		err = mounts_set_groups(&visit, all);
	ns_for_each(ns, all, NS_MNT) {
		if (!err && ns->data)
			err = mount_visit_ns(&visit, ns);
		if (!err && ns->data)
			err = set_properties(ns->data);
	}
	return err;
}

/* Where proc can be mounted: see open_stand_in(). NULL: there is none of the tree's own. */
static const struct ns *first_to_finish(const struct restore *r, size_t *ret_nr)
{
	const struct ns *ns, *first = NULL;

	*ret_nr = 0;
	ns_for_each(ns, &r->plan.namespaces, NS_MNT) {
		const struct mounts *m = ns->data;

		if (!m)
			continue;
		if (!first || (m->proc_of && !((const struct mounts *)first->data)->proc_of))
			first = ns;
		++*ret_nr;
	}
	return first;
}

struct finish {
	struct restore *r;
	const struct ns *first;
	bool nested;
};

static int finish_from_there(void *arg)
{
	const struct finish *f = arg;

	return finish_all(f->r, f->first, f->nested);
}

static int finish(struct restore *r, bool nested)
{
	size_t nr;
	const struct ns *first = first_to_finish(r, &nr);
	struct finish finish = { r, first, nested };
	int result = 0, err;

	if (!first)
		return 0;
	if (nr == 1 && first == restore_task_of(r->plan.tree.root)->ns[NS_MNT])
		return finish_all(r, first, nested);
	err = ns_run_in(&first->fd, 1, finish_from_there, &finish, &result);
	return err ? fail(err, "enter the mount namespace %u", first->id) : result;
}

int mounts_finish(struct restore *r)
{
	return finish(r, false);
}

int mounts_finish_nested(struct restore *r)
{
	return finish(r, true);
}

static void close_one(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void mounts_close(struct restore *r)
{
	struct mount_restore *data = mount_restore_data(r);
	struct ns *ns;

	ns_for_each(ns, &r->plan.namespaces, NS_MNT) {
		struct mounts *m = ns->data;

		if (m)
			close_one(&m->proc);
		for (size_t i = 0; m && i < m->n; i++) {
			close_one(&m->v[i].fd);
			close_one(&m->v[i].point);
			close_one(&m->v[i].idmap);
			close_one(&m->v[i].given);
		}
	}
	for (struct mount_fs *fs = data ? data->run.fs : NULL; fs; fs = fs->next)
		for (struct mount_origin *o = fs->origins; o; o = o->next) {
			close_one(&o->fd);
			close_one(&o->peer);
		}
}
