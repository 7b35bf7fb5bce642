// SPDX-License-Identifier: GPL-2.0-only
/*
 * Saves a mount that is attached nowhere with the descriptor that keeps it (detached.c): what it is, and what a restore can copy it from, or the content of
 * a file system that is attached nowhere.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include "base/bits.h"
#include "base/cleanup.h"
#include "kernel/device.h"
#include "kernel/mountinfo.h"
#include "kernel/proc_pid.h"
#include "kinds/fd/regular/detached_internal.h"
#include "kinds/fd/regular/internal.h"
#include "run/path.h"
#include "run/trusted_path.h"
#include "util/fds.h"
#include "util/hash.h"
#include "util/str.h"

struct saved_mount {
	DetachedMountEntry *entry;
	const char *why; /* it cannot be saved; NULL: it is */
};

/* ---- a file system of its own ---- */

static bool shows_device_of(const struct mountinfo *mounts, const struct mount_info *is)
{
	const struct mount_info *m;

	array_for_each(m, mounts)
		if (m->dev_major == is->dev_major && m->dev_minor == is->dev_minor)
			return true;
	return false;
}

int detached_is_own_fs(const struct dump *dump, const struct mount_info *is)
{
	_cleanup_mountinfo_ struct mountinfo own = { 0 };
	_cleanup_proc_ struct proc self = PROC_CLOSED;
	int err;

	if ((!mnt_saves_unattached(is->fstype) && !mnt_is_proc(is->fstype)) || strcmp(is->root, "/") != 0 ||
	    shows_device_of(&dump->mounts, is))
		return 0;
	err = proc_open_self(&self);
	if (!err)
		err = mountinfo_read(&self, &own);
	return err ? fail(err, "read the mounts of this program") : !shows_device_of(&own, is);
}

/* NULL: the first process can create another one. Its first process is in the namespace that it shows. */
static const char *refuse_proc(const struct subject *s, const struct detached_copy *copy)
{
	const struct ns *pid = s->task->ns[NS_PID], *user = s->task->ns[NS_USER];
	struct stat st;

	if (!user || !user->own)
		return "a proc of its own, in a user namespace";
	if (!pid || copy->root < 0 || fstatat(copy->root, "1/ns/pid", &st, 0) < 0)
		return "a proc, and it cannot be seen of which pid namespace";
	return st.st_ino == pid->ino ? NULL : "a proc of another pid namespace";
}

static int save_fs(struct dump *dump, const struct subject *s, const struct detached_copy *copy,
		   const struct mount_info *is, struct saved_mount *ret)
{
	DetachedMountEntry *entry = ret->entry;

	if (is->master_id)
		ret->why = "a slave of another mount";
	else if (copy->idmapped)
		ret->why = "idmapped, and with a file system of its own";
	else if (copy->root < 0)
		ret->why = "and it cannot be read without changing access times";
	else if (mnt_is_proc(is->fstype))
		ret->why = refuse_proc(s, copy);
	if (ret->why)
		return 0;
	entry->has_propagation = true;
	entry->propagation = is->shared_id ? MS_SHARED : MS_PRIVATE;
	return mnt_save_unattached(dump, s->task, is, copy->root, &entry->fs);
}

/* ---- saving it with its keeper ---- */

static bool nests_pid_namespaces(struct dump *dump)
{
	struct ns *ns;
	size_t n = 0;

	ns_for_each(ns, &dump->namespaces, NS_PID)
		n++;
	return n > 1;
}

/* One that is mounted in it: the root, as a file of the task. */
static int find_part(struct dump *dump, const struct subject *s, const struct mount_info *is, struct detached_part *ret)
{
	const struct path_roots roots = { .root = s->local, .inside = s->local };
	_cleanup_close_ int root = path_open(&roots, PATH_ROOT_MOUNT, is->mountpoint, O_PATH | O_NOFOLLOW);
	struct file_facts facts;
	struct subject part = *s;
	struct statx sx;

	if (root < 0 || statx(root, "", AT_EMPTY_PATH, 0, &sx) < 0 || !(sx.stx_attributes & STATX_ATTR_MOUNT_ROOT) ||
	    proc_file_facts(root, &facts)) {
		ret->why = "and it is not reached by the path that it is mounted on";
		return 0;
	}
	part.local = root;
	part.st = facts.st;
	part.birth = facts.birth;
	return detached_find_source(dump, &part, is, ret);
}

static bool has_parts(const struct detached_copy *copy, const struct mount_info *is)
{
	const struct mount_info *m;

	array_for_each(m, &copy->mounts)
		if (m->parent_id == is->mnt_id && m != is)
			return true;
	return false;
}

static int add_part(struct dump *dump, const struct subject *s, const struct detached_copy *copy,
		    const struct mount_info *is, struct saved_mount *ret)
{
	DetachedSubmountEntry *entry = dump_alloc(dump, sizeof(*entry));
	struct detached_part part = { .has_parts = has_parts(copy, is) };
	int err = 0;

	if (!entry)
		return fail(-ENOMEM, "mounts");
	detached_submount_entry__init(entry);
	if (!detached_attributes(is->options, &part.attributes) || detached_is_idmapped(is))
		part.why = "with options that are not supported (idmapped?)";
	else
		err = find_part(dump, s, is, &part);
	if (part.why)
		ret->why = dump_printf(dump, "and %s is mounted in it, %s", is->mountpoint, part.why);
	if (ret->why || err)
		return err;
	entry->path = dump_strdup(dump, is->mountpoint);
	entry->source_id = part.source_id;
	entry->attributes = part.attributes;
	entry->has_propagation = part.propagation != 0;
	entry->propagation = (uint32_t)part.propagation;
	ret->entry->mounts[ret->entry->n_mounts++] = entry;
	return entry->path ? 0 : fail(-ENOMEM, "mounts");
}

/* What is mounted on a shared mount would be propagated to its peers; what is covered is not found by its path. */
static const char *refuse_parts(struct dump *dump, const struct detached_parts *parts)
{
	for (size_t i = 1; i < parts->n; i++) {
		const struct mount_info *is = parts->v[i];

		for (size_t j = 0; j < parts->n; j++) {
			if (parts->v[j]->mnt_id == is->parent_id && parts->v[j]->shared_id)
				return dump_printf(
					dump,
					"and %s is mounted in it, on a shared mount (make that private, or a slave)",
					is->mountpoint);
			if (j != i && !strcmp(parts->v[j]->mountpoint, is->mountpoint))
				return dump_printf(dump, "and several mounts in it are on %s", is->mountpoint);
		}
	}
	return NULL;
}

static int save_parts(struct dump *dump, const struct subject *s, const struct detached_copy *copy,
		      struct saved_mount *ret)
{
	struct detached_parts parts = { 0 };
	int err = detached_copy_parts(copy, &parts);

	if (!err && parts.n > 1) {
		ret->entry->mounts = dump_alloc(dump, parts.n * sizeof(*ret->entry->mounts));
		err = ret->entry->mounts ? 0 : -ENOMEM;
	}
	if (err)
		fail(err, "mounts");
	else
		ret->why = refuse_parts(dump, &parts);
	for (size_t i = 1; !err && !ret->why && i < parts.n; i++)
		err = add_part(dump, s, copy, parts.v[i], ret);
	array_free(&parts);
	return err;
}

/* Only the user namespace that a file system belongs to may set them. */
static int save_id_maps(struct dump *dump, const struct subject *s, const struct detached_copy *copy,
			struct saved_mount *ret)
{
	DetachedMountEntry *entry = ret->entry;

	if (!s->task->ns[NS_USER] || !s->task->ns[NS_USER]->own)
		ret->why = "idmapped, in a user namespace";
	else if (copy->maps_err == -EOPNOTSUPP)
		ret->why =
			"idmapped, and this kernel does not show how (statmount with STATMOUNT_MNT_UIDMAP, Linux 6.15)";
	else if (copy->maps_err)
		return fail(copy->maps_err, "%s: read the id maps of the mount", s->link);
	if (ret->why)
		return 0;
	entry->uid_map = mnt_save_id_map(dump, &copy->uids);
	entry->gid_map = mnt_save_id_map(dump, &copy->gids);
	entry->n_uid_map = copy->uids.ranges.n;
	entry->n_gid_map = copy->gids.ranges.n;
	return entry->uid_map && entry->gid_map ? 0 : fail(-ENOMEM, "mounts");
}

static int save_source(struct dump *dump, const struct subject *s, const struct mount_info *is, struct saved_mount *ret)
{
	struct detached_part part = { .has_parts = ret->entry->n_mounts > 0 };
	int err = detached_find_source(dump, s, is, &part);

	ret->why = part.why;
	ret->entry->has_source_id = true;
	ret->entry->source_id = part.source_id;
	ret->entry->has_propagation = part.propagation != 0;
	ret->entry->propagation = (uint32_t)part.propagation;
	return err;
}

static int save_mount(struct dump *dump, const struct subject *s, const struct detached_copy *copy,
		      struct saved_mount *ret)
{
	const struct mount_info *is = mountinfo_find(&copy->mounts, copy->mnt_id);
	int err = 0, own;

	if (!is)
		ret->why = "and this kernel does not show what it is";
	else if (!detached_attributes(is->options, &ret->entry->attributes))
		ret->why = "with options that are not supported";
	else if (copy->idmapped)
		err = save_id_maps(dump, s, copy, ret);
	if (!ret->why && !err)
		err = save_parts(dump, s, copy, ret);
	if (ret->why || err)
		return err;
	own = detached_is_own_fs(dump, is);
	if (own < 0)
		return own;
	return own ? save_fs(dump, s, copy, is, ret) : save_source(dump, s, is, ret);
}

int detached_save(struct dump *dump, const struct subject *s, DetachedMountEntry **ret)
{
	struct saved_mount saved = { .entry = dump_alloc(dump, sizeof(*saved.entry)) };
	struct detached_copy copy = DETACHED_COPY(s->local);
	int err;

	if (!saved.entry)
		return fail(-ENOMEM, "mounts");
	detached_mount_entry__init(saved.entry);
	copy.read = true;
	err = detached_copy_make(s->task, &copy);
	if (s->task->ns[NS_MNT] != dump_task_of(dump->tree.root)->ns[NS_MNT])
		saved.why = "in another mount namespace than that of the first process";
	else if (nests_pid_namespaces(dump))
		saved.why = "in a tree with nested pid namespaces";
	else if (err)
		saved.why = "and cannot be copied";
	else
		err = save_mount(dump, s, &copy, &saved);
	detached_copy_free(&copy);
	*ret = saved.entry;
	if (!saved.why)
		return err;
	dump_blocker(dump, s->task, s->fd,
		     "%s " ROOT_ATTACHED_NOWHERE ", %s: that is not supported; attach it, or close it%s", s->link,
		     saved.why, regular_external_hint(dump, s));
	return 0;
}
