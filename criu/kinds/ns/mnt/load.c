// SPDX-License-Identifier: GPL-2.0-only
/* Reads and checks the mounts of a namespace. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include "kinds/kinds.h"
#include "kinds/ns/mnt/external.h"
#include "kinds/ns/mnt/fs_type.h"
#include "kinds/ns/mnt/idmap.h"
#include "kinds/ns/mnt/of_process.h"
#include "kinds/ns/mnt/options.h"
#include "kinds/ns/mnt/restore.h"
#include "util/log.h"
#include "util/str.h"

/* Absolute, and without components that lead elsewhere. */
static bool is_plain_path(const char *path)
{
	if (path[0] != '/' || strlen(path) >= PATH_MAX)
		return false;
	if (!path[1])
		return true;
	for (const char *at = path; *at;) {
		size_t len = strcspn(++at, "/");

		if (!len || (len == 1 && at[0] == '.') || (len == 2 && !memcmp(at, "..", 2)))
			return false;
		at += len;
	}
	return true;
}

static bool is_of_nsfs(const MntEntry *e)
{
	const struct fs_type *type = fs_type_of_entry(e);

	return type && type->load_each;
}

/* What it shows: a path, unless that says nothing (what is external), or names something else (nsfs). */
static bool has_root(const MntEntry *e)
{
	if (e->ext_key)
		return strcmp(e->ext_key, MOUNT_DEV_KEY) || is_plain_path(e->root);
	return is_of_nsfs(e) || is_plain_path(e->root);
}

static int check_record(const struct ns *ns, const MntEntry *e)
{
	if (!is_plain_path(e->mountpoint))
		return fail(-EBADMSG, "mountpoints-%u.img: mount %u is at %s", ns->id, e->mnt_id, e->mountpoint);
	if (!has_root(e))
		return fail(-EBADMSG, "mountpoints-%u.img: %s shows %s", ns->id, e->mountpoint, e->root);
	if (e->with_plugin)
		return fail(-EOPNOTSUPP, "mount %s needs a plugin of CRIU: that is not supported", e->mountpoint);
	if (e->ext_mount)
		return fail(-EOPNOTSUPP, "mount %s is external, in the format of an old CRIU: that is not supported",
			    e->mountpoint);
	if (e->deleted && !e->ext_key && !e->has_removed_id)
		return fail(-EOPNOTSUPP,
			    "mount %s shows %s, which was removed, and the images (of CRIU) do not contain it",
			    e->mountpoint, e->root);
	return 0;
}

/* Its place in the tool's mount namespace. */
static int find_source(struct restore *r, struct mount *mount)
{
	const struct options *opts = r->opts;
	const char *key = mount->entry->ext_key, *at = mount->entry->mountpoint, *source = mount->entry->source;

	if (!strcmp(key, MOUNT_AUTO_KEY)) {
		/* A path that only the images name: in the tool's own root anything in it is there already. */
		if (!external_mounts_found(opts) && opts->root && strcmp(opts->root, "/"))
			return fail(-EINVAL, "mount %s shows %s of the host: use --external 'mnt[]' to let it do so",
				    at, source);
		if (source[0] != '/')
			return fail(-EBADMSG, "mount %s: its source is %s", at, source);
		mount->source = source;
		return 0;
	}
	if (!strcmp(key, MOUNT_DEV_KEY)) {
		size_t len = strlen(source);
		char name[NAME_MAX];

		if (!str_has_prefix(source, "dev[") || source[len - 1] != ']' || len > sizeof(name))
			return fail(-EBADMSG, "mount %s: its source is %s", at, source);
		memcpy(name, source + 4, len - 5);
		name[len - 5] = 0;
		mount->source = external_device_path(opts, name);
		return mount->source ? 0 :
				       fail(-EINVAL, "mount %s is external: use --external 'dev[%s]:PATH'", at, name);
	}
	mount->source = external_mount_path(opts, key);
	return mount->source ? 0 : fail(-EINVAL, "mount %s is external: use --external 'mnt[%s]:PATH'", at, key);
}

static int note_fs(struct restore *r, struct mounts *m, struct mount *mount)
{
	mount->fs = mount_fs_get(&mount_restore_data(r)->run, &r->arena, mount->entry->root_dev);
	if (!mount->fs)
		return fail(-ENOMEM, "mounts");
	if (mount == m->root && !m->nested)
		mount->source = r->opts->root ?: "/"; /* without --root it is the tool's */
	else if (mount->entry->ext_key && find_source(r, mount))
		return -EINVAL;
	if (!mount_is_external(mount) || mount_origin_for(mount))
		return 0;
	if (!mount_origin_add(mount->fs, &r->arena, mount_is_of_device(mount) ? "/" : mount->entry->root, mount))
		return fail(-ENOMEM, "mounts");
	return 0;
}

/* One whose file system is created, or is that of another mount. */
static int check_made(struct restore *r, const struct ns *ns, struct mount *mount)
{
	struct mount_fs *fs = mount->fs;
	const MntEntry *e = mount->entry;

	if (fs->origins && mount_origin_of(fs, e->root))
		return 0;
	if (fs->origins)
		return fail(-EBADMSG, "mountpoints-%u.img: %s shows %s of a file system of which there is only a part",
			    ns->id, e->mountpoint, e->root);
	if (!fs->type)
		fs->type = fs_type_of_entry(e);
	if (!fs->type)
		return fail(-EOPNOTSUPP, "mount %s is of a type (%u) that is not supported", e->mountpoint, e->fstype);
	if (fs->type->refused)
		return fail(
			-EOPNOTSUPP,
			"mount %s is of type %s, %s: that is not supported; dump it as an external mount (--external 'mnt[%s]:KEY')",
			e->mountpoint, fs->type->name, fs->type->refused, e->mountpoint);
	if (fs->type == &fs_type_enabled && (!e->fsname || !mount_type_is_enabled(r, e->fsname)))
		return fail(-EINVAL,
			    "mount %s is of type %s: use --enable-fs %s to mount it from its source again (%s)",
			    e->mountpoint, e->fsname ?: "unknown", e->fsname ?: "TYPE", e->source);
	if (is_of_nsfs(e) != (fs->type->load_each != NULL))
		return fail(-EBADMSG, "mountpoints-%u.img: %s is of another type than its file system", ns->id,
			    e->mountpoint);
	if (fs->type->load_each) {
		fs->whole = mount;
		return fs->type->load_each(r, ns, mount);
	}
	if (fs->whole)
		return 0;
	if (!strcmp(e->root, "/") || fs->type->single)
		fs->whole = mount;
	return fs->whole && fs->type->load ? fs->type->load(r, ns, mount) : 0;
}

/* What it is shared with, or a slave of, is outside of the tree. */
static void note_group(const struct restore *r, struct mount *mount)
{
	const MntEntry *e = mount->entry;
	bool is_slave = e->master_id && !mounts_have_group(&r->plan.namespaces, e->master_id);
	bool is_peer = e->shared_id && e->ext_key && !strcmp(e->ext_key, MOUNT_AUTO_KEY) && external_sharing(r->opts) &&
		       !(e->has_internal_sharing && e->internal_sharing);

	mount->outer_group = is_slave || is_peer;
	mount->outer_peer = is_peer;
}

/* Once that is known of all: a copy of one that has it from outside has it from there. */
static int check_master(const struct mount *mount)
{
	const MntEntry *e = mount->entry;

	if (mount->outer_group && !mount->outer_peer && !mount->source && !mount_follows_origin(mount))
		return fail(-EBADMSG, "mount %s: its master, group %u, is not in the images", e->mountpoint,
			    e->master_id);
	return 0;
}

static bool is_copy_of_host(const struct mount *mount)
{
	const MntEntry *e = mount->entry;

	return e->ext_key && !strcmp(e->ext_key, MOUNT_AUTO_KEY) && !strcmp(e->source, e->mountpoint);
}

/* Of several mounts of the host in one place its path leads to the uppermost. */
static void count_covering(struct mount *mount)
{
	if (!is_copy_of_host(mount))
		return;
	for (struct mount *below = mount->parent; below && !strcmp(MOUNT_NAME(below), MOUNT_NAME(mount));
	     below = below->parent)
		below->covered += is_copy_of_host(below);
}

static int check_one(struct mount *mount)
{
	int err = check_master(mount);

	mount->deferred |= mount->parent && mount->parent->deferred;
	mount->of_nested |= mount->parent && mount->parent->of_nested;
	count_covering(mount);
	if (!err && !mount->fs->origins && !mount->fs->whole)
		err = fail(-EBADMSG, "mountpoints-%u.img: %s shows %s of a file system that is mounted nowhere",
			   mount->of->ns->id, MOUNT_NAME(mount), mount->entry->root);
	return err;
}

int mount_check_labels(struct restore *r, struct mount *mount)
{
	_cleanup_free_ char *context = mount_option_value(mount->entry->options, "context");

	mount->fs->context = r->opts->lsm_mount_context;
	if (!context || lsm_here() == LSM_SELINUX)
		return 0;
	return fail(
		-EOPNOTSUPP,
		"mount %s has the SELinux context %s, and this kernel has no SELinux: restore it on a host with that",
		MOUNT_NAME(mount), context);
}

int mounts_check(struct restore *r)
{
	const struct ns_set *all = &r->plan.namespaces;
	struct mount *mount;
	int err = 0;

	mounts_for_each_of_all(mount, all) if (!err) err = note_fs(r, mount->of, mount);
	if (!err)
		err = mounts_set_apart(&mount_restore_data(r)->run, &r->arena, all);
	mounts_for_each_of_all(mount, all)
	{
		if (err || mount_is_external(mount))
			continue;
		err = check_made(r, mount->of->ns, mount);
		if (!err && mount->fs->type)
			err = mount_check_labels(r, mount);
		if (!err && !mount->fs->origins)
			err = mount_load_shown(r, mount);
	}
	mounts_for_each_of_all(mount, all)
	{
		if (err || mount_is_external(mount) || mount->fs->origins)
			continue;
		mount->deferred = mount_waits(mount);
		mount->of_nested = mount_shows_nested(mount);
		r->plan.all_born_first |= mount->of_nested;
	}
	mounts_for_each_of_all(mount, all) if (!err) err = mount_note_process(r, mount);
	mounts_for_each_of_all(mount, all) if (!err) note_group(r, mount);
	mounts_for_each_of_all(mount, all) if (!err) err = check_one(mount);
	mounts_for_each_of_all(mount, all) if (!err && mount_is_removed(mount) && mount->fs->whole)
		mount->fs->spare_inodes += mount_removed_inodes(mount);
	return err ? err : mounts_check_groups(all);
}

int mounts_load(struct restore *r, struct ns *ns)
{
	struct mounts *m = restore_alloc(r, sizeof(*m));
	struct restore_records records;
	struct mount *bad = NULL;
	int err = restore_read_records(r, IMAGE_MNTS, ns->id, &mnt_entry__descriptor, &records);

	if (err)
		return err;
	if (!records.n)
		return fail(-ENOENT, "mountpoints-%u.img is missing or empty", ns->id);
	if (m)
		m->v = restore_alloc(r, records.n * sizeof(*m->v));
	if (!m || !m->v || !mount_restore_data(r))
		return fail(-ENOMEM, "mounts");
	m->ns = ns;
	m->nested = ns != restore_task_of(r->plan.tree.root)->ns[NS_MNT];
	m->proc = -1;
	m->n = records.n;
	for (size_t i = 0; !err && i < m->n; i++) {
		m->v[i].entry = (MntEntry *)records.v[i];
		m->v[i].of = m;
		m->v[i].fd = m->v[i].point = m->v[i].idmap = m->v[i].given = -1;
		err = check_record(ns, m->v[i].entry);
		if (!err)
			err = mount_check_idmap(&m->v[i]);
	}
	if (err)
		return err;
	err = mounts_link(m, &bad);
	if (err)
		return fail(err, "mountpoints-%u.img: mount %s has no place in the tree of mounts", ns->id,
			    bad ? MOUNT_NAME(bad) : "?");
	if (!m->root)
		return fail(-EBADMSG, "mountpoints-%u.img: no root", ns->id);
	ns->data = m;
	return 0;
}
