// SPDX-License-Identifier: GPL-2.0-only
/*
 * Restores mounts that are attached nowhere (detached.c): copies of directories, or file systems, made in the first process when the mounts of its
 * namespace are there. Others inherit the descriptor, from which files on the mount are opened, and one of which becomes its keeper.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "kernel/mountinfo.h"
#include "kernel/proc_pid.h"
#include "kinds/fd/regular/internal.h"
#include "run/path.h"
#include "util/fds.h"
#include "util/hash.h"

#ifndef MOUNT_ATTR__ATIME
#define MOUNT_ATTR__ATIME 0x00000070
#endif
#ifndef MOUNT_ATTR_NOSYMFOLLOW
#define MOUNT_ATTR_NOSYMFOLLOW 0x00200000
#endif
#define FLAGS                                                                                      \
	((uint64_t)(MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC | \
		    MOUNT_ATTR_NODIRATIME | MOUNT_ATTR_NOSYMFOLLOW))

/* How a copy differs from what it was made from. */
struct shape {
	uint64_t attributes;
	uint32_t propagation; /* 0: that of the source */
};

struct made_part {
	const DetachedSubmountEntry *entry;
	struct file *source;
};

struct made_mount {
	struct record record; /* 0, its id in the images */
	const struct file *file; /* its keeper */
	const RegFileEntry *reg;
	struct file *source; /* NULL: it shows */
	struct unattached *fs;
	struct made_part *parts; /* mounted in it */
	int idmap; /* the user namespace whose maps it has; -1: none, or not made yet */
	int fd; /* above service_base; -1: not made yet */
};

static bool has_attributes(uint64_t attributes)
{
	const uint64_t atime = attributes & MOUNT_ATTR__ATIME;

	return !(attributes & ~(FLAGS | MOUNT_ATTR__ATIME)) &&
	       (atime == MOUNT_ATTR_RELATIME || atime == MOUNT_ATTR_NOATIME || atime == MOUNT_ATTR_STRICTATIME);
}

static struct mnt_idmap maps_of(const DetachedMountEntry *entry)
{
	return (struct mnt_idmap){ entry->uid_map, entry->gid_map, entry->n_uid_map, entry->n_gid_map };
}

static bool is_possible(const RegFileEntry *reg)
{
	const DetachedMountEntry *entry = reg->detached;
	const uint32_t propagation = entry->propagation;
	const struct mnt_idmap maps = maps_of(entry);

	if (!mnt_check_idmap(&maps) || (entry->fs && (maps.nr_uids || maps.nr_gids)))
		return false;
	if (reg->mnt_id < 0 || !has_attributes(entry->attributes) || entry->has_source_id == (entry->fs != NULL))
		return false;
	if (entry->fs)
		return propagation == MS_PRIVATE || propagation == MS_SHARED;
	return !entry->has_propagation || propagation == MS_PRIVATE || propagation == MS_SLAVE;
}

static bool is_possible_part(const DetachedSubmountEntry *entry)
{
	return entry->path[0] == '/' && strlen(entry->path) < PATH_MAX && has_attributes(entry->attributes) &&
	       (!entry->has_propagation || entry->propagation == MS_PRIVATE || entry->propagation == MS_SLAVE);
}

static bool is_below(const char *path, const char *dir)
{
	const size_t len = strlen(dir);

	return !strncmp(path, dir, len) && (path[len] == '/' || !path[len]);
}

/* What has others mounted on it has no peers; NULL: all is well. */
static const char *propagates(const DetachedMountEntry *entry)
{
	if (entry->n_mounts && entry->propagation != MS_PRIVATE && entry->propagation != MS_SLAVE)
		return "/";
	for (size_t i = 0; i < entry->n_mounts; i++)
		for (size_t j = i + 1; j < entry->n_mounts; j++)
			if (!entry->mounts[i]->has_propagation &&
			    is_below(entry->mounts[j]->path, entry->mounts[i]->path))
				return entry->mounts[i]->path;
	return NULL;
}

static int load_parts(struct restore *r, struct made_mount *made)
{
	const DetachedMountEntry *entry = made->reg->detached;
	const char *path;

	made->parts = restore_alloc(r, (entry->n_mounts + 1) * sizeof(*made->parts));
	if (!made->parts)
		return fail(-ENOMEM, "mounts");
	for (size_t i = 0; i < entry->n_mounts; i++) {
		made->parts[i].entry = entry->mounts[i];
		if (!is_possible_part(entry->mounts[i]))
			return fail(-EBADMSG,
				    "files.img: file %u: no such mount in it: %s, attributes %#llx, propagation %#x",
				    made->file->id, entry->mounts[i]->path,
				    (unsigned long long)entry->mounts[i]->attributes, entry->mounts[i]->propagation);
	}
	path = propagates(entry);
	return path ? fail(-EBADMSG, "files.img: file %u: what is mounted on %s would be propagated to others",
			   made->file->id, path) :
		      0;
}

static int load_fs(struct restore *r, struct made_mount *made)
{
	char *name = restore_alloc(r, NAME_MAX);

	if (!name)
		return fail(-ENOMEM, "mounts");
	snprintf(name, NAME_MAX, "%d, which is attached nowhere (file %u)", made->reg->mnt_id, made->file->id);
	return mnt_load_unattached(r, made->reg->detached->fs, name, &made->fs);
}

int detached_load(struct restore *r, struct regular_restore *data, const struct file *file)
{
	const RegFileEntry *reg = file->entry->reg;
	const DetachedMountEntry *entry = reg->detached;
	struct made_mount *made;
	int err;

	if (r->tool.untrusted)
		return fail(-EPERM,
			    "file %u is a mount that is attached nowhere, which --untrusted-images does not restore",
			    file->id);
	if (!is_possible(reg))
		return fail(-EBADMSG, "files.img: file %u: no such mount: id %d, attributes %#llx, propagation %#x",
			    file->id, reg->mnt_id, (unsigned long long)entry->attributes, entry->propagation);
	if (record_find(&data->detached, 0, (uint64_t)reg->mnt_id))
		return fail(-EBADMSG, "files.img: file %u: another one keeps mount %d", file->id, reg->mnt_id);
	made = record_new(&r->arena, &data->detached, 0, (uint64_t)reg->mnt_id, sizeof(*made));
	if (!made)
		return fail(-ENOMEM, "mounts");
	made->file = file;
	made->reg = reg;
	made->fd = made->idmap = -1;
	err = load_parts(r, made);
	return err || !entry->fs ? err : load_fs(r, made);
}

static int link_source(struct restore *r, const struct made_mount *made, uint32_t id, struct file **ret)
{
	struct file *source = restore_file(r, id, "a mount that is attached nowhere");

	if (!source)
		return -EBADMSG;
	if (source->kind != &regular_kind || source->entry->reg->detached)
		return fail(-EBADMSG, "files.img: file %u cannot be a copy of file %u", made->file->id, source->id);
	*ret = source;
	return 0;
}

static int link_sources(struct restore *r, struct made_mount *made)
{
	const DetachedMountEntry *entry = made->reg->detached;
	int err = made->fs ? 0 : link_source(r, made, entry->source_id, &made->source);

	for (size_t i = 0; !err && i < entry->n_mounts; i++)
		err = link_source(r, made, entry->mounts[i]->source_id, &made->parts[i].source);
	return err;
}

int detached_link(struct restore *r)
{
	struct regular_restore *data = *restore_kind_data(r, &regular_kind);
	int err = 0;

	for (struct record *rec = data ? data->detached.first : NULL; rec && !err; rec = rec->next)
		err = link_sources(r, (struct made_mount *)rec);
	return err;
}

bool detached_has(const struct regular_restore *data, const RegFileEntry *reg)
{
	return data && reg->mnt_id >= 0 && record_find(&data->detached, 0, (uint64_t)reg->mnt_id);
}

/* Linux before 5.14 does not know nosymfollow there. */
static int set_shape(int fd, const struct shape *shape)
{
	struct mount_attr attr = { .attr_set = shape->attributes,
				   .attr_clr = (FLAGS & ~shape->attributes) | MOUNT_ATTR__ATIME,
				   .propagation = shape->propagation };

	if (!mount_setattr(fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)))
		return 0;
	if (errno != EINVAL || !(attr.attr_clr & MOUNT_ATTR_NOSYMFOLLOW))
		return -errno;
	attr.attr_clr &= ~(uint64_t)MOUNT_ATTR_NOSYMFOLLOW;
	return mount_setattr(fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0 ? -errno : 0;
}

/* A copy of a mount that is private now is private. */
static void warn_of_propagation(uint32_t propagation, int source, const char *name)
{
	_cleanup_mountinfo_ struct mountinfo mounts = { 0 };
	_cleanup_proc_ struct proc self = PROC_CLOSED;
	const struct mount_info *m = NULL;
	struct statx sx;

	if (propagation == MS_PRIVATE)
		return;
	if (!statx(source, "", AT_EMPTY_PATH, STATX_MNT_ID, &sx) && !proc_open_self(&self) &&
	    !mountinfo_read(&self, &mounts))
		m = mountinfo_find(&mounts, (int)sx.stx_mnt_id);
	if (!m || (!m->shared_id && (!m->master_id || propagation)))
		log_warn(
			"the mount of %s was shared at the dump, and %s now: mounts and unmounts may not propagate to a copy of it that is attached nowhere as they did",
			name, m ? "is not" : "may not be");
}

/* A detached copy of @source, or -errno. */
static int copy_source(struct restore *r, struct file *file, const struct shape *shape)
{
	_cleanup_close_ int source = restore_open_file_proven(r, file), fd = -1;
	const char *name = file->entry->reg->name;
	int err;

	if (source < 0)
		return source;
	warn_of_propagation(shape->propagation, source, name);
	fd = open_tree(source, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (fd < 0)
		return fail(-errno, "copy the mount of %s%s", name,
			    errno == EPERM ? ": it takes CAP_SYS_ADMIN in the mount namespace" : "");
	err = set_shape(fd, shape);
	return err ? fail(err, "set the attributes (%#llx) of a copy of the mount of %s",
			  (unsigned long long)shape->attributes, name) :
		     steal_fd(&fd);
}

static int make_fs(struct restore *r, const struct made_mount *made, const struct shape *shape)
{
	_cleanup_close_ int fd = mnt_make_unattached(r, made->fs);
	int err = fd < 0 ? fd : set_shape(fd, shape);

	if (fd >= 0 && err)
		fail(err, "set the attributes (%#llx) of mount %d, which is attached nowhere",
		     (unsigned long long)shape->attributes, made->reg->mnt_id);
	return err ? err : steal_fd(&fd);
}

/* Links are not followed, so that it is mounted there, and nowhere else. */
static int make_part(struct restore *r, const struct made_mount *made, int root, const struct made_part *part)
{
	const struct shape shape = { part->entry->attributes, part->entry->propagation };
	const struct path_roots roots = { .root = root, .inside = root };
	_cleanup_close_ int fd = copy_source(r, part->source, &shape), point = -1;

	if (fd < 0)
		return fd;
	point = path_open_resolving(&roots, PATH_ROOT_MOUNT, part->entry->path, O_PATH | O_NOFOLLOW,
				    RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
	if (point < 0)
		return fail(point, "mount %d, which is attached nowhere: open %s", made->reg->mnt_id,
			    part->entry->path);
	return move_mount(fd, "", point, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0 ?
		       fail(-errno, "mount %d, which is attached nowhere: mount a copy of %s on %s", made->reg->mnt_id,
			    part->source->entry->reg->name, part->entry->path) :
		       0;
}

int detached_prepare(struct restore *r)
{
	struct regular_restore *data = *restore_kind_data(r, &regular_kind);

	for (struct record *rec = data ? data->detached.first : NULL; rec; rec = rec->next) {
		struct made_mount *made = (struct made_mount *)rec;
		const struct mnt_idmap maps = maps_of(made->reg->detached);

		if (!maps.nr_uids && !maps.nr_gids)
			continue;
		made->idmap = mnt_make_idmap(r, &maps);
		if (made->idmap < 0)
			return fail(made->idmap,
				    "mount %d, which is attached nowhere: create a user namespace with its id maps",
				    made->reg->mnt_id);
	}
	return 0;
}

/* In the tool, and in the first process. */
int detached_close(struct restore *r)
{
	struct regular_restore *data = *restore_kind_data(r, &regular_kind);

	for (struct record *rec = data ? data->detached.first : NULL; rec; rec = rec->next) {
		struct made_mount *made = (struct made_mount *)rec;

		cleanup_close(&made->idmap);
		made->idmap = -1;
	}
	return 0;
}

static int set_idmap(const struct made_mount *made, int fd)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)made->idmap };

	if (made->idmap < 0 || !mount_setattr(fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)))
		return 0;
	return fail(-errno, "mount %d, which is attached nowhere: set its id maps", made->reg->mnt_id);
}

static int make(struct restore *r, struct made_mount *made)
{
	const DetachedMountEntry *entry = made->reg->detached;
	const struct shape shape = { entry->attributes, entry->propagation };
	_cleanup_close_ int fd = made->fs ? make_fs(r, made, &shape) : copy_source(r, made->source, &shape);
	int err = fd < 0 ? fd : set_idmap(made, fd);

	for (size_t i = 0; !err && i < entry->n_mounts; i++)
		err = make_part(r, made, fd, &made->parts[i]);
	if (err)
		return err;
	made->fd = move_fd_above(fd, r->service_base);
	if (made->fd < 0)
		return fail(made->fd, "keep a mount open");
	fd = -1;
	return hash_put(&r->roots_by_mount, (uint64_t)made->reg->mnt_id, (uint64_t)made->fd) ? fail(-ENOMEM, "mounts") :
											       0;
}

int detached_make(struct restore *r, const struct restore_task *task)
{
	struct regular_restore *data = *restore_kind_data(r, &regular_kind);
	int err = 0;

	if (!data || !data->detached.first)
		return 0;
	/* The mount kind has set the roots of each task. */
	r->roots.by_mount = &r->roots_by_mount;
	if (&task->t != r->plan.tree.root)
		return 0;
	for (struct record *rec = data->detached.first; rec && !err; rec = rec->next)
		err = make(r, (struct made_mount *)rec);
	detached_close(r);
	return err;
}

int detached_root(struct restore *r, const RegFileEntry *reg)
{
	const struct regular_restore *data = *restore_kind_data(r, &regular_kind);
	const struct made_mount *made = record_find(&data->detached, 0, (uint64_t)reg->mnt_id);

	return made ? made->fd : -1;
}

bool detached_is_file(struct restore *r, const RegFileEntry *reg)
{
	return !strcmp(reg->name, "/") && reg->has_mode && S_ISREG(reg->mode) &&
	       detached_has(*restore_kind_data(r, &regular_kind), reg);
}

int detached_open(struct restore *r, const RegFileEntry *reg)
{
	int root = detached_root(r, reg), fd = root >= 0 ? dup_fd_above(root, 0) : -EBADF;

	return fd < 0 ? fail(fd, "mount %d, which is attached nowhere", reg->mnt_id) : fd;
}
