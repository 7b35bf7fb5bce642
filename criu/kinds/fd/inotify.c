// SPDX-License-Identifier: GPL-2.0-only
/* inotify(7). Watches are restored with their descriptors; unread events cannot be: they are a blocker. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "kernel/device.h"
#include "kernel/fdinfo.h"
#include "kinds/fd/anon.h"
#include "kinds/fd/reopen.h"
#include "kinds/fd/watched.h"
#include "kinds/kinds.h"
#include "run/describe.h"
#include "run/dump.h"
#include "run/opener.h"
#include "util/fds.h"
#include "util/proc_root.h"

#ifndef INOTIFY_IOC_SETNEXTWD
#define INOTIFY_IOC_SETNEXTWD _IOW('I', 0, int32_t)
#endif
#define INOTIFY_MASK ((uint32_t)(IN_ALL_EVENTS | IN_EXCL_UNLINK | IN_ONESHOT))

/* ---- dump ------------------------------------------------------------------------------- */

static bool inotify_claims(const struct fd_probe *probe)
{
	return fd_is_anon(probe, "inotify");
}

static int inotify_save_watch(struct dump *dump, const struct fd_probe *probe, const struct fdinfo_item *item,
			      uint32_t id, InotifyWdEntry *wd)
{
	const struct watched watched = {
		.ino = item->inotify.ino,
		.sdev = item->inotify.sdev,
		.handle = item->inotify.has_handle ? &item->inotify.handle : NULL,
	};
	const struct fd_probe *holder;
	bool lost;
	int err;

	inotify_wd_entry__init(wd);
	wd->id = id;
	wd->i_ino = item->inotify.ino;
	wd->mask = item->inotify.mask;
	wd->ignored_mask = item->inotify.ignored_mask;
	wd->s_dev = item->inotify.sdev;
	wd->wd = item->inotify.wd;
	err = watched_save(dump, &watched, &wd->f_handle, &holder, &lost);
	if (err < 0)
		return err;
	if (lost)
		dump_blocker(
			dump, probe->task, probe->fd,
			"inotify: watch %d is on inode %lu of device %u:%u, which has no known path (removed, or on a "
			"file system without file handles): remove the watch, or name the directory to search with "
			"--irmap-scan-path",
			item->inotify.wd, item->inotify.ino, kdev_major(item->inotify.sdev),
			kdev_minor(item->inotify.sdev));
	if (!holder)
		return 0;
	wd->has_file_id = true;
	err = dump_file_id_of(dump, holder->task, holder->fd, &wd->file_id);
	return err < 0 ? fail(err, "inotify: watch %d is on descriptor %d of pid %d, which is not saved",
			      item->inotify.wd, holder->fd, holder->task->t.pid) :
			 0;
}

static int inotify_save(struct dump *dump, const struct fd_probe *probe, FileEntry *entry)
{
	InotifyFileEntry *ify = dump_alloc(dump, sizeof(*ify));
	int err;

	if (!ify)
		return fail(-ENOMEM, "inotify");
	inotify_file_entry__init(ify);
	err = dump_fown(dump, probe, &ify->fown);
	if (err < 0)
		return err;
	ify->id = entry->id;
	ify->flags = probe->flags;
	entry->ify = ify;
	watched_events(dump, probe, "inotify");
	return 0;
}

static int inotify_save_late(struct dump *dump, const struct fd_probe *probe, FileEntry *entry)
{
	InotifyFileEntry *ify = entry->ify;
	InotifyWdEntry *wds;
	struct fdinfo *info;
	int err = fd_probe_info(dump, (struct fd_probe *)probe, &info);

	if (err < 0)
		return err;
	wds = dump_alloc(dump, (info->n + 1) * sizeof(*wds));
	ify->wd = dump_alloc(dump, (info->n + 1) * sizeof(*ify->wd));
	if (!wds || !ify->wd)
		return fail(-ENOMEM, "inotify");
	for (size_t i = 0; i < info->n; i++) {
		if (info->v[i].tag != FDINFO_INOTIFY_WD)
			continue;
		err = inotify_save_watch(dump, probe, &info->v[i], entry->id, &wds[ify->n_wd]);
		if (err < 0)
			return err;
		ify->wd[ify->n_wd] = &wds[ify->n_wd];
		ify->n_wd++;
	}
	return 0;
}

/* ---- restore ---------------------------------------------------------------------------- */

static int compare_wds(const void *a, const void *b)
{
	uint32_t x = (*(InotifyWdEntry *const *)a)->wd, y = (*(InotifyWdEntry *const *)b)->wd;

	return x < y ? -1 : x > y;
}

static int inotify_load(struct restore *r, struct file *file, void *state)
{
	InotifyFileEntry *ify = file->entry->ify;

	if (!ify)
		return fail(-EBADMSG, "files.img: file %u: inotify without a record", file->id);
	for (size_t i = 0; i < ify->n_wd; i++) {
		const InotifyWdEntry *wd = ify->wd[i];
		int err = watched_load(file, wd->f_handle);

		if (err < 0)
			return err;
		if (!wd->wd || wd->wd > INT32_MAX || !(wd->mask & IN_ALL_EVENTS))
			return fail(-EBADMSG, "files.img: file %u: inotify watch %u with mask 0x%x", file->id, wd->wd,
				    wd->mask);
	}
	/* In ascending order, the kernel's next descriptor is right at the end as well. */
	if (ify->n_wd > 1)
		qsort(ify->wd, ify->n_wd, sizeof(*ify->wd), compare_wds);
	return 0;
}

static int inotify_link(struct restore *r, struct file *file, void *state)
{
	const InotifyFileEntry *ify = file->entry->ify;

	for (size_t i = 0; i < ify->n_wd; i++) {
		if (i && ify->wd[i]->wd == ify->wd[i - 1]->wd)
			return fail(-EBADMSG, "files.img: file %u: duplicate inotify watch %u", file->id,
				    ify->wd[i]->wd);
		if (ify->wd[i]->has_file_id && !restore_file(r, ify->wd[i]->file_id, "an inotify watch"))
			return -EBADMSG;
	}
	return 0;
}

static int inotify_open(struct restore *r, struct file *file, const void *state)
{
	const InotifyFileEntry *ify = file->entry->ify;
	_cleanup_close_ int fd = inotify_init1(IN_CLOEXEC);
	int err;

	if (fd < 0)
		return fail(-errno, "inotify_init1");
	err = set_status_flags(r, fd, ify->flags, ify->fown);
	return err < 0 ? err : steal_fd(&fd);
}

static struct watched_inode inode_of(const struct restore *r, const struct file *file, const InotifyWdEntry *wd)
{
	return (struct watched_inode){ audience_of_file(r, file), wd->f_handle, wd->i_ino, wd->s_dev,
				       wd->has_file_id,		  wd->file_id };
}

static int inotify_add(struct restore *r, const struct file *file, int inotify, const InotifyWdEntry *wd)
{
	const struct watched_inode inode = inode_of(r, file, wd);
	int32_t want = (int32_t)wd->wd;
	char path[PROC_FD_NAME_MAX];
	bool borrowed;
	int got, err = 0, fd;

	if (ioctl(inotify, INOTIFY_IOC_SETNEXTWD, want) < 0)
		return fail(
			-errno,
			"inotify: set the next watch descriptor to %d (a kernel without CONFIG_CHECKPOINT_RESTORE?)",
			want);
	fd = watched_find(r, &inode, &borrowed);
	if (fd < 0)
		return fd;
	proc_fd_path(path, fd);
	got = inotify_add_watch(inotify, path, wd->mask & INOTIFY_MASK);
	if (got < 0)
		err = fail(-errno, "inotify: watch %s", wd->f_handle->path ? wd->f_handle->path : path);
	else if (got != want)
		err = fail(-EBADMSG,
			   "inotify: watch %d got descriptor %d: two watches in the image now refer to one inode", want,
			   got);
	if (!borrowed)
		close(fd);
	return err;
}

static int inotify_finish(struct restore *r, struct file *file, const void *state, int fd)
{
	const InotifyFileEntry *ify = file->entry->ify;

	for (size_t i = 0; i < ify->n_wd; i++) {
		int err = inotify_add(r, file, fd, ify->wd[i]);
		if (err < 0)
			return err;
	}
	return 0;
}

static int inotify_ready(struct restore *r)
{
	int err = 0;

	for (size_t i = 0; i < r->plan.nr_files && err >= 0; i++)
		if (r->plan.files[i].kind == &inotify_kind)
			err = watched_drop_events(r, &r->plan.files[i], NULL);
	return err;
}

static int inotify_check(struct restore *r, struct file *file, const void *state)
{
	const InotifyFileEntry *ify = file->entry->ify;
	int err = 0;

	for (size_t i = 0; i < ify->n_wd; i++) {
		const struct watched_inode inode = inode_of(r, file, ify->wd[i]);
		int got = watched_check_here(r, &inode);

		err = err ? err : got;
	}
	return err;
}

static void inotify_describe(const FileEntry *entry, struct description *d)
{
	if (entry->ify)
		describe_add(d, "inotify, %zu watch%s", entry->ify->n_wd, entry->ify->n_wd == 1 ? "" : "es");
}

const struct fd_kind inotify_kind = {
	.name = "inotify",
	.image_type = FD_TYPES__INOTIFY,
	.for_untrusted = true,
	.claims = inotify_claims,
	.save = inotify_save,
	.save_late = inotify_save_late,
	.load = inotify_load,
	.link = inotify_link,
	.open = inotify_open,
	.finish = inotify_finish,
	.check = inotify_check,
	.describe = inotify_describe,
};

const struct run_kind inotify_run = {
	.name = "inotify",
	.ready = inotify_ready,
};
