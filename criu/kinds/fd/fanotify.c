// SPDX-License-Identifier: GPL-2.0-only
/*
 * fanotify(7). Marks are on inodes, as with inotify, or on mounts or whole file systems, which are found by path. A
 * group with permission events is a blocker: while it is frozen, every access would block.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/fanotify.h>
#include <unistd.h>
#include "kernel/device.h"
#include "kinds/fd/anon.h"
#include "kinds/fd/reopen.h"
#include "kinds/fd/watched.h"
#include "kinds/kinds.h"
#include "run/names.h"
#include "run/obstacles.h"
#include "util/fds.h"
#include "util/proc_root.h"

/* Not in Debian's headers. */
#define FANOTIFY_PRE_ACCESS 0x00100000
#define FANOTIFY_MARK_IGNORE 0x00000400
#define FANOTIFY_MARK_EVICTABLE 0x00000200
#define FANOTIFY_PERMISSIONS (FAN_OPEN_PERM | FAN_ACCESS_PERM | FAN_OPEN_EXEC_PERM | FANOTIFY_PRE_ACCESS)
#define FANOTIFY_INFO_PIDFD 4
#define FANOTIFY_MARK_FLAGS (FANOTIFY_MARK_IGNORE | FANOTIFY_MARK_EVICTABLE | FAN_MARK_IGNORED_SURV_MODIFY)

/* ---- dump ------------------------------------------------------------------------------- */

static bool fanotify_claims(const struct fd_probe *probe)
{
	return fd_is_anon(probe, "fanotify");
}

static int fanotify_save(struct dump *dump, const struct fd_probe *probe, FileEntry *entry)
{
	FanotifyFileEntry *ffy = dump_alloc(dump, sizeof(*ffy));
	const struct fdinfo_item *item;
	struct fdinfo *info;
	int err = fd_probe_info(dump, (struct fd_probe *)probe, &info);

	if (err < 0)
		return err;
	if (!ffy)
		return fail(-ENOMEM, "fanotify");
	item = fdinfo_find(info, FDINFO_FANOTIFY_INIT);
	if (!item)
		return fail(-EBADMSG, "fdinfo of a fanotify group contains no flags");
	fanotify_file_entry__init(ffy);
	err = dump_fown(dump, probe, &ffy->fown);
	if (err < 0)
		return err;
	ffy->id = entry->id;
	ffy->flags = probe->flags;
	ffy->faflags = item->fanotify_init.flags;
	ffy->evflags = item->fanotify_init.event_flags;
	entry->ffy = ffy;
	watched_events(dump, probe, "fanotify");
	return 0;
}

static int fanotify_save_inode(struct dump *dump, const struct fd_probe *probe, const struct fdinfo_item *item,
			       FanotifyMarkEntry *mark)
{
	const struct watched watched = {
		.ino = item->fanotify.ino,
		.sdev = item->fanotify.sdev,
		.handle = item->fanotify.has_handle ? &item->fanotify.handle : NULL,
	};
	const struct fd_probe *holder;
	bool lost;
	int err;

	mark->ie = dump_alloc(dump, sizeof(*mark->ie));
	if (!mark->ie)
		return fail(-ENOMEM, "fanotify");
	fanotify_inode_mark_entry__init(mark->ie);
	mark->type = MARK_TYPE__INODE;
	mark->s_dev = item->fanotify.sdev;
	mark->ie->i_ino = item->fanotify.ino;
	err = watched_save(dump, &watched, &mark->ie->f_handle, &holder, &lost);
	if (err < 0)
		return err;
	if (lost)
		dump_blocker(
			dump, probe->task, probe->fd,
			"fanotify: a mark is on inode %lu of device %u:%u, which has no known path (removed, or on a "
			"file system without file handles): remove the mark, or name the directory to search with "
			"--irmap-scan-path",
			item->fanotify.ino, kdev_major(item->fanotify.sdev), kdev_minor(item->fanotify.sdev));
	if (!holder)
		return 0;
	mark->has_file_id = true;
	err = dump_file_id_of(dump, holder->task, holder->fd, &mark->file_id);
	return err < 0 ? fail(err, "fanotify: a mark is on descriptor %d of pid %d, which is not saved", holder->fd,
			      holder->task->t.pid) :
			 0;
}

/* The mount with that id, or one of that file system, if its path is not covered by another mount. */
static const struct mount_info *fanotify_mount(struct dump *dump, const struct fdinfo_item *item)
{
	for (size_t i = 0; i < dump->mounts.n; i++) {
		const struct mount_info *mount = &dump->mounts.v[i];
		bool is = item->tag == FDINFO_FANOTIFY_MOUNT ?
				  mount->mnt_id == (int)item->fanotify.mnt_id :
				  kdev_make(mount->dev_major, mount->dev_minor) == item->fanotify.sdev;

		if (is && watched_mount_is(dump, mount->mountpoint, mount->mnt_id))
			return mount;
	}
	return NULL;
}

static int fanotify_save_mount(struct dump *dump, const struct fd_probe *probe, const struct fdinfo_item *item,
			       FanotifyMarkEntry *mark)
{
	const struct mount_info *mount = fanotify_mount(dump, item);
	bool whole = item->tag == FDINFO_FANOTIFY_SB;

	mark->me = dump_alloc(dump, sizeof(*mark->me));
	if (!mark->me)
		return fail(-ENOMEM, "fanotify");
	fanotify_mount_mark_entry__init(mark->me);
	mark->type = MARK_TYPE__MOUNT;
	mark->has_filesystem = mark->filesystem = whole;
	if (!mount && whole)
		dump_blocker(
			dump, probe->task, probe->fd,
			"fanotify: a mark is on the file system of device %u:%u, which has no accessible mount point: remove it",
			kdev_major(item->fanotify.sdev), kdev_minor(item->fanotify.sdev));
	else if (!mount)
		dump_blocker(
			dump, probe->task, probe->fd,
			"fanotify: a mark is on mount %u, which has no accessible path (covered by another mount, or in "
			"another mount namespace): remove it",
			item->fanotify.mnt_id);
	if (!mount)
		return 0;
	mark->s_dev = kdev_make(mount->dev_major, mount->dev_minor);
	mark->me->mnt_id = (uint32_t)mount->mnt_id;
	mark->me->path = dump_strdup(dump, mount->mountpoint);
	return mark->me->path ? 0 : fail(-ENOMEM, "fanotify");
}

static int fanotify_save_mark(struct dump *dump, const struct fd_probe *probe, const struct fdinfo_item *item,
			      uint32_t id, FanotifyMarkEntry *mark)
{
	uint64_t both = item->fanotify.mask | item->fanotify.ignored_mask;

	fanotify_mark_entry__init(mark);
	mark->id = id;
	mark->mflags = item->fanotify.mflags;
	mark->mask = (uint32_t)item->fanotify.mask;
	mark->ignored_mask = (uint32_t)item->fanotify.ignored_mask;
	if (both > UINT32_MAX || item->tag == FDINFO_FANOTIFY_MNTNS)
		dump_blocker(dump, probe->task, probe->fd,
			     "fanotify: a mark for events 0x%lx %s cannot be saved: remove it", both,
			     item->tag == FDINFO_FANOTIFY_MNTNS ? "of a mount namespace" : "of a newer kernel");
	else if (both & FANOTIFY_PERMISSIONS)
		dump_blocker(
			dump, probe->task, probe->fd,
			"fanotify: a mark for permission events 0x%lx would block every process that opens those files "
			"while the group is frozen: remove it first",
			both & FANOTIFY_PERMISSIONS);
	if (item->tag == FDINFO_FANOTIFY_MNTNS)
		return 0;
	return item->tag == FDINFO_FANOTIFY_INODE ? fanotify_save_inode(dump, probe, item, mark) :
						    fanotify_save_mount(dump, probe, item, mark);
}

static int fanotify_save_late(struct dump *dump, const struct fd_probe *probe, FileEntry *entry)
{
	FanotifyFileEntry *ffy = entry->ffy;
	FanotifyMarkEntry *marks;
	struct fdinfo *info;
	int err = fd_probe_info(dump, (struct fd_probe *)probe, &info);

	if (err < 0)
		return err;
	marks = dump_alloc(dump, (info->n + 1) * sizeof(*marks));
	ffy->mark = dump_alloc(dump, (info->n + 1) * sizeof(*ffy->mark));
	if (!marks || !ffy->mark)
		return fail(-ENOMEM, "fanotify");
	for (size_t i = 0; i < info->n; i++) {
		if (info->v[i].tag < FDINFO_FANOTIFY_INODE || info->v[i].tag > FDINFO_FANOTIFY_MNTNS)
			continue;
		err = fanotify_save_mark(dump, probe, &info->v[i], entry->id, &marks[ffy->n_mark]);
		if (err < 0)
			return err;
		ffy->mark[ffy->n_mark] = &marks[ffy->n_mark];
		ffy->n_mark++;
	}
	return 0;
}

/* ---- restore ---------------------------------------------------------------------------- */

static int fanotify_load(struct restore *r, struct file *file, void *state)
{
	const FanotifyFileEntry *ffy = file->entry->ffy;

	if (!ffy)
		return fail(-EBADMSG, "files.img: file %u: fanotify group without a record", file->id);
	for (size_t i = 0; i < ffy->n_mark; i++) {
		const FanotifyMarkEntry *mark = ffy->mark[i];
		int err = mark->ie ? watched_load(file, mark->ie->f_handle) : 0;

		if (err < 0)
			return err;
		if (mark->type == MARK_TYPE__INODE ? !mark->ie : !mark->me || !mark->me->path)
			return fail(-EBADMSG, "files.img: file %u: mark %zu of a fanotify group has no target",
				    file->id, i);
		if ((mark->mask | mark->ignored_mask) & FANOTIFY_PERMISSIONS)
			return fail(-EBADMSG, "files.img: file %u: fanotify group with permission events: 0x%x",
				    file->id, mark->mask | mark->ignored_mask);
	}
	return 0;
}

static int fanotify_link(struct restore *r, struct file *file, void *state)
{
	const FanotifyFileEntry *ffy = file->entry->ffy;

	for (size_t i = 0; i < ffy->n_mark; i++)
		if (ffy->mark[i]->has_file_id && !restore_file(r, ffy->mark[i]->file_id, "a fanotify mark"))
			return -EBADMSG;
	return 0;
}

static int fanotify_open(struct restore *r, struct file *file, const void *state)
{
	const FanotifyFileEntry *ffy = file->entry->ffy;
	_cleanup_close_ int fd = fanotify_init(ffy->faflags, ffy->evflags);
	int err;

	if (fd < 0)
		return fail(-errno, "fanotify_init with flags 0x%x and event flags 0x%x", ffy->faflags, ffy->evflags);
	err = set_status_flags(r, fd, ffy->flags, ffy->fown);
	return err < 0 ? err : steal_fd(&fd);
}

static int fanotify_add(int group, const FanotifyMarkEntry *mark, const char *path, const char *name)
{
	unsigned scope = mark->type == MARK_TYPE__INODE ? 0 : mark->filesystem ? FAN_MARK_FILESYSTEM : FAN_MARK_MOUNT;
	unsigned flags = mark->mflags & FANOTIFY_MARK_FLAGS;
	unsigned ignore = flags & FANOTIFY_MARK_IGNORE ? FANOTIFY_MARK_IGNORE : FAN_MARK_IGNORED_MASK;

	if (mark->mask && fanotify_mark(group, FAN_MARK_ADD | scope | (flags & FANOTIFY_MARK_EVICTABLE), mark->mask,
					proc_root(), path) < 0)
		return fail(-errno, "fanotify: mark %s for events 0x%x", name, mark->mask);
	if (mark->ignored_mask &&
	    fanotify_mark(group,
			  FAN_MARK_ADD | scope | ignore |
				  (flags & (FANOTIFY_MARK_EVICTABLE | FAN_MARK_IGNORED_SURV_MODIFY)),
			  mark->ignored_mask, proc_root(), path) < 0)
		return fail(-errno, "fanotify: mark %s to ignore events 0x%x", name, mark->ignored_mask);
	return 0;
}

static struct watched_inode inode_of(const struct restore *r, const struct file *file, const FanotifyMarkEntry *mark)
{
	return (struct watched_inode){ audience_of_file(r, file), mark->ie->f_handle, mark->ie->i_ino, mark->s_dev,
				       mark->has_file_id,	  mark->file_id };
}

static int open_marked_mount(struct restore *r, const struct file *file, const char *path)
{
	int fd = names_open(r, audience_of_file(r, file), &(struct name_wanted){ path, O_PATH, NULL, PATH_ROOT_MOUNT },
			    R_OK);

	opener_leave(r);
	return fd;
}

static int fanotify_restore_mark(struct restore *r, const struct file *file, int group, const FanotifyMarkEntry *mark)
{
	bool borrowed = false;
	const char *name;
	char path[PROC_FD_NAME_MAX];
	int fd, err;

	if (mark->type == MARK_TYPE__INODE) {
		const struct watched_inode inode = inode_of(r, file, mark);

		name = mark->ie->f_handle->path;
		fd = watched_find(r, &inode, &borrowed);
	} else {
		name = mark->me->path;
		fd = open_marked_mount(r, file, name);
	}
	if (fd < 0)
		return fd;
	proc_fd_name(path, fd);
	err = fanotify_add(group, mark, path, name ? name : path);
	if (!borrowed)
		close(fd);
	return err;
}

/* The kernel lists the newest mark first. */
static int fanotify_finish(struct restore *r, struct file *file, const void *state, int fd)
{
	const FanotifyFileEntry *ffy = file->entry->ffy;
	int err = 0;

	for (size_t i = ffy->n_mark; i > 0 && err >= 0; i--)
		err = fanotify_restore_mark(r, file, fd, ffy->mark[i - 1]);
	return err;
}

/* Events contain descriptors. */
static void fanotify_forget(const void *buf, size_t len)
{
	const struct fanotify_event_metadata *event = buf;

	for (; FAN_EVENT_OK(event, len); event = FAN_EVENT_NEXT(event, len)) {
		size_t at = event->metadata_len;

		if (event->fd >= 0)
			close(event->fd);
		while (at + sizeof(struct fanotify_event_info_header) <= event->event_len) {
			const struct fanotify_event_info_header *info = (const void *)((const char *)event + at);
			const int *pidfd = (const int *)(info + 1);

			if (info->info_type == FANOTIFY_INFO_PIDFD && *pidfd >= 0)
				close(*pidfd);
			if (!info->len)
				break;
			at += info->len;
		}
	}
}

static int fanotify_ready(struct restore *r)
{
	int err = 0;

	for (size_t i = 0; i < r->plan.nr_files && err >= 0; i++)
		if (r->plan.files[i].kind == &fanotify_kind)
			err = watched_drop_events(r, &r->plan.files[i], fanotify_forget);
	return err;
}

static int check_mark(struct restore *r, const struct file *file, const FanotifyMarkEntry *mark)
{
	_cleanup_close_ int fd = -1;

	if (mark->type == MARK_TYPE__INODE) {
		const struct watched_inode inode = inode_of(r, file, mark);

		return watched_check_here(r, &inode);
	}
	if (!restore_paths_exist(r))
		return 0;
	fd = open_marked_mount(r, file, mark->me->path);
	return fd < 0 ? fd : 0;
}

static int fanotify_check(struct restore *r, struct file *file, const void *state)
{
	const FanotifyFileEntry *ffy = file->entry->ffy;
	int err = 0;

	for (size_t i = 0; i < ffy->n_mark; i++) {
		int got = check_mark(r, file, ffy->mark[i]);

		err = err ? err : got;
	}
	return err;
}

const struct fd_kind fanotify_kind = {
	.name = "fanotify",
	.image_type = FD_TYPES__FANOTIFY,
	.claims = fanotify_claims,
	.save = fanotify_save,
	.save_late = fanotify_save_late,
	.load = fanotify_load,
	.link = fanotify_link,
	.open = fanotify_open,
	.finish = fanotify_finish,
	.check = fanotify_check,
};

const struct run_kind fanotify_run = {
	.name = "fanotify",
	.ready = fanotify_ready,
};
