// SPDX-License-Identifier: GPL-2.0-only
/*
 * Restores mounts that are attached nowhere (detached.c): copies of directories, or file systems, made in the first process when the mounts of its
 * namespace are there. Others inherit the descriptor, from which files on the mount are opened, and one of which becomes its keeper.
 */
#include <errno.h>
#include <fcntl.h>
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

struct made_mount {
	struct record record; /* 0, its id in the images */
	const struct file *file; /* its keeper */
	const RegFileEntry *reg;
	struct file *source; /* NULL: it shows */
	struct unattached *fs;
	int fd; /* above service_base; -1: not made yet */
};

static bool is_possible(const RegFileEntry *reg)
{
	const DetachedMountEntry *entry = reg->detached;
	const uint64_t atime = entry->attributes & MOUNT_ATTR__ATIME;
	const uint32_t propagation = entry->propagation;

	if (reg->mnt_id < 0 || entry->attributes & ~(FLAGS | MOUNT_ATTR__ATIME) ||
	    (atime != MOUNT_ATTR_RELATIME && atime != MOUNT_ATTR_NOATIME && atime != MOUNT_ATTR_STRICTATIME) ||
	    entry->has_source_id == (entry->fs != NULL))
		return false;
	if (entry->fs)
		return propagation == MS_PRIVATE || propagation == MS_SHARED;
	return !entry->has_propagation || propagation == MS_PRIVATE || propagation == MS_SLAVE;
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
	made->fd = -1;
	return entry->fs ? load_fs(r, made) : 0;
}

int detached_link(struct restore *r)
{
	struct regular_restore *data = *restore_kind_data(r, &regular_kind);

	for (struct record *rec = data ? data->detached.first : NULL; rec; rec = rec->next) {
		struct made_mount *made = (struct made_mount *)rec;

		if (made->fs)
			continue;
		made->source = restore_file(r, made->reg->detached->source_id, "a mount that is attached nowhere");
		if (!made->source)
			return -EBADMSG;
		if (made->source->kind != &regular_kind || made->source->entry->reg->detached)
			return fail(-EBADMSG, "files.img: file %u cannot be a copy of file %u", made->file->id,
				    made->source->id);
	}
	return 0;
}

bool detached_has(const struct regular_restore *data, const RegFileEntry *reg)
{
	return data && reg->mnt_id >= 0 && record_find(&data->detached, 0, (uint64_t)reg->mnt_id);
}

/* Linux before 5.14 does not know nosymfollow there. */
static int set_attributes_of(int fd, const DetachedMountEntry *entry)
{
	struct mount_attr attr = { .attr_set = entry->attributes,
				   .attr_clr = (FLAGS & ~entry->attributes) | MOUNT_ATTR__ATIME,
				   .propagation = entry->propagation };

	if (!mount_setattr(fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)))
		return 0;
	if (errno != EINVAL || !(attr.attr_clr & MOUNT_ATTR_NOSYMFOLLOW))
		return -errno;
	attr.attr_clr &= ~(uint64_t)MOUNT_ATTR_NOSYMFOLLOW;
	return mount_setattr(fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0 ? -errno : 0;
}

/* A copy of a mount that is private now is private. */
static void warn_of_propagation(const DetachedMountEntry *entry, int source, const char *name)
{
	_cleanup_mountinfo_ struct mountinfo mounts = { 0 };
	_cleanup_proc_ struct proc self = PROC_CLOSED;
	const struct mount_info *m = NULL;
	struct statx sx;

	if (entry->propagation == MS_PRIVATE)
		return;
	if (!statx(source, "", AT_EMPTY_PATH, STATX_MNT_ID, &sx) && !proc_open_self(&self) &&
	    !mountinfo_read(&self, &mounts))
		m = mountinfo_find(&mounts, (int)sx.stx_mnt_id);
	if (!m || (!m->shared_id && (!m->master_id || entry->has_propagation)))
		log_warn(
			"the mount of %s was shared at the dump, and %s now: mounts and unmounts may not propagate to a copy of it that is attached nowhere as they did",
			name, m ? "is not" : "may not be");
}

/* A detached copy of its source, or -errno. */
static int copy_source(struct restore *r, const struct made_mount *made)
{
	_cleanup_close_ int source = restore_open_file_proven(r, made->source);
	const char *name = made->source->entry->reg->name;
	int fd;

	if (source < 0)
		return source;
	warn_of_propagation(made->reg->detached, source, name);
	fd = open_tree(source, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	return fd < 0 ? fail(-errno, "copy the mount of %s%s", name,
			     errno == EPERM ? ": it takes CAP_SYS_ADMIN in the mount namespace" : "") :
			fd;
}

static int make(struct restore *r, struct made_mount *made)
{
	_cleanup_close_ int fd = made->fs ? mnt_make_unattached(r, made->fs) : copy_source(r, made);
	const DetachedMountEntry *entry = made->reg->detached;
	int err;

	if (fd < 0)
		return fd;
	err = set_attributes_of(fd, entry);
	if (err)
		return fail(err, "set the attributes (%#llx) of mount %d, which is attached nowhere",
			    (unsigned long long)entry->attributes, made->reg->mnt_id);
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
