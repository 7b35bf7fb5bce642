// SPDX-License-Identifier: GPL-2.0-only
/*
 * inotify(7). A watch is on an inode. fdinfo tells its handle, the handle leads to a path; restore takes the path where
 * it still leads to that inode, else the handle (same file system, also renamed since), else the path as it is (another
 * host). Events that wait in the queue cannot be put back: a warning counts them.
 */
#include <errno.h>
#include <limits.h>
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
#include "kinds/kinds.h"
#include "run/dump.h"
#include "util/fds.h"

#ifndef INOTIFY_IOC_SETNEXTWD
#define INOTIFY_IOC_SETNEXTWD _IOW('I', 0, int32_t)
#endif
#define HANDLE_WORDS_MIN FH_ENTRY_SIZES__min_entries /* CRIU reads no fewer */
#define HANDLE_WORDS_MAX (FDINFO_HANDLE_MAX / 8)
#define INOTIFY_MASK ((uint32_t)(IN_ALL_EVENTS | IN_EXCL_UNLINK | IN_ONESHOT))

/* struct file_handle with room */
struct handle {
	uint32_t bytes;
	int32_t type;
	uint8_t data[FDINFO_HANDLE_MAX];
};

/* An O_PATH descriptor of the inode with that handle, on the file system that @mount is on. No event is raised. */
static int handle_open(const char *mount, const struct handle *handle)
{
	_cleanup_close_ int cwd = open(".", O_PATH | O_CLOEXEC), at = open(mount, O_PATH | O_CLOEXEC);
	int fd;

	if (at < 0)
		return -errno;
	/* It takes no O_PATH descriptor, and opening the mount point really would be an event on it. The cwd will do. */
	if (fchdir(at) < 0)
		return -errno;
	fd = (int)open_by_handle_at(AT_FDCWD, (struct file_handle *)handle, O_PATH | O_CLOEXEC);
	if (fd < 0)
		fd = -errno;
	if (cwd >= 0 && fchdir(cwd) < 0 && fd >= 0) {
		close(fd);
		fd = -errno;
	}
	return fd;
}

/* The same on any mount of the device. */
static int handle_open_on(const struct mountinfo *mounts, uint32_t dev, const struct handle *handle)
{
	int fd = -ENODEV;

	for (size_t i = 0; i < mounts->n && fd < 0; i++)
		if (kdev_make(mounts->v[i].dev_major, mounts->v[i].dev_minor) == dev)
			fd = handle_open(mounts->v[i].mountpoint, handle);
	return fd;
}

static bool inode_is(int fd, uint64_t ino, uint32_t dev, struct stat *ret_st)
{
	/* A subvolume's st_dev (btrfs) is not the file system's. */
	return !fstat(fd, ret_st) && (uint64_t)ret_st->st_ino == ino &&
	       (dev_to_kdev(ret_st->st_dev) == dev || major(ret_st->st_dev) == 0);
}

/* An O_PATH descriptor of @path if that is the inode. */
static int path_open_if(const char *path, uint64_t ino, uint32_t dev)
{
	_cleanup_close_ int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return -errno;
	return inode_is(fd, ino, dev, &st) ? steal_fd(&fd) : -ENOENT;
}

/* ---- dump ------------------------------------------------------------------------------- */

static bool inotify_claims(const struct fd_probe *probe)
{
	return fd_is_anon(probe, "inotify");
}

/* Below @dir, at most @depth levels down, on the same file system: options.irmap_scan_paths. */
static bool inotify_scan(struct dump *dump, const char *dir, const struct fdinfo_item *item, int depth, char **ret_path)
{
	int fd = path_open_if(dir, item->inotify.ino, item->inotify.sdev);
	_cleanup_closedir_ DIR *d = NULL;

	if (fd >= 0) {
		close(fd);
		*ret_path = dump_strdup(dump, dir);
		return true;
	}
	d = depth ? opendir(dir) : NULL;
	for (struct dirent *e = d ? readdir(d) : NULL; e; e = readdir(d)) {
		char path[PATH_MAX];

		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..") ||
		    path_join(path, sizeof(path), dir, e->d_name) < 0)
			continue;
		if (inotify_scan(dump, path, item, e->d_type == DT_DIR ? depth - 1 : 0, ret_path))
			return true;
	}
	return false;
}

/* Without a handle that opens: where the inode may well be. */
static void inotify_guess_path(struct dump *dump, const struct fdinfo_item *item, char **ret_path)
{
	const struct str_list *scan = &dump->opts->irmap_scan_paths;
	struct dump_task *task;
	char path[PATH_MAX];
	int fd;

	for (size_t i = 0; i < dump->mounts.n; i++)
		if (kdev_make(dump->mounts.v[i].dev_major, dump->mounts.v[i].dev_minor) == item->inotify.sdev &&
		    inotify_scan(dump, dump->mounts.v[i].mountpoint, item, 0, ret_path))
			return;
	dump_for_each_task(task, dump) {
		if (proc_link(&task->proc, "cwd", path, sizeof(path)) < 0)
			continue;
		fd = path_open_if(path, item->inotify.ino, item->inotify.sdev);
		if (fd >= 0) {
			close(fd);
			*ret_path = dump_strdup(dump, path);
			return;
		}
	}
	for (size_t i = 0; i < scan->n; i++)
		if (inotify_scan(dump, scan->v[i], item, 16, ret_path))
			return;
}

/* A descriptor of the tree on the watched inode: the only way to one that has no name any more. */
static const struct fd_probe *inotify_holder(struct dump *dump, const struct fdinfo_item *item)
{
	struct dump_task *task;

	dump_for_each_task(task, dump)
		for (size_t i = 0; i < task->nr_fds; i++)
			if ((uint64_t)task->fds[i].st.st_ino == item->inotify.ino &&
			    dev_to_kdev(task->fds[i].st.st_dev) == item->inotify.sdev)
				return &task->fds[i];
	return NULL;
}

/* What is known of the inode: *ret_path or NULL, *ret_linked: the handle leads to it, and it has a name somewhere. */
static int inotify_locate(struct dump *dump, const struct fdinfo_item *item, char **ret_path, bool *ret_linked)
{
	struct handle handle = { .bytes = item->inotify.handle.bytes, .type = item->inotify.handle.type };
	_cleanup_close_ int fd = -1;
	char link[64], path[PATH_MAX];
	struct stat st;
	int same;

	*ret_path = NULL;
	*ret_linked = false;
	if (item->inotify.has_handle) {
		memcpy(handle.data, item->inotify.handle.f_handle, sizeof(handle.data));
		fd = handle_open_on(&dump->mounts, item->inotify.sdev, &handle);
	}
	if (fd < 0) {
		inotify_guess_path(dump, item, ret_path);
		return 0;
	}
	*ret_linked = !fstat(fd, &st) && st.st_nlink > 0;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	if (read_link(AT_FDCWD, link, path, sizeof(path)) < 0)
		return 0;
	same = path_open_if(path, item->inotify.ino, item->inotify.sdev);
	if (same >= 0) {
		close(same);
		*ret_path = dump_strdup(dump, path);
		return *ret_path ? 0 : fail(-ENOMEM, "inotify");
	}
	return 0;
}

static int inotify_save_handle(struct dump *dump, const struct fdinfo_item *item, FhEntry **ret_fh)
{
	const struct fdinfo_handle *handle = &item->inotify.handle;
	FhEntry *fh = dump_alloc(dump, sizeof(*fh));

	if (!fh)
		return fail(-ENOMEM, "inotify");
	fh_entry__init(fh);
	fh->handle = dump_alloc(dump, HANDLE_WORDS_MAX * sizeof(*fh->handle));
	if (!fh->handle)
		return fail(-ENOMEM, "inotify");
	if (item->inotify.has_handle) {
		fh->bytes = handle->bytes;
		fh->type = (uint32_t)handle->type;
		memcpy(fh->handle, handle->f_handle, handle->bytes);
	}
	fh->n_handle = (fh->bytes + 7) / 8;
	if (fh->n_handle < HANDLE_WORDS_MIN)
		fh->n_handle = HANDLE_WORDS_MIN;
	*ret_fh = fh;
	return 0;
}

static int inotify_save_watch(struct dump *dump, const struct fd_probe *probe, const struct fdinfo_item *item,
			      uint32_t id, InotifyWdEntry *wd)
{
	const struct fd_probe *holder;
	bool linked;
	int err;

	inotify_wd_entry__init(wd);
	err = inotify_save_handle(dump, item, &wd->f_handle);
	if (err < 0)
		return err;
	wd->id = id;
	wd->i_ino = item->inotify.ino;
	wd->mask = item->inotify.mask;
	wd->ignored_mask = item->inotify.ignored_mask;
	wd->s_dev = item->inotify.sdev;
	wd->wd = item->inotify.wd;
	err = inotify_locate(dump, item, &wd->f_handle->path, &linked);
	if (err < 0 || wd->f_handle->path || linked)
		return err;
	holder = inotify_holder(dump, item);
	if (!holder) {
		dump_blocker(
			dump, probe->task, probe->fd,
			"inotify: watch %d is on inode %lu of device %u:%u, to which no path leads (removed, or on a "
			"file system without handles): remove the watch, or name the directory to look in with "
			"--irmap-scan-path",
			item->inotify.wd, item->inotify.ino, kdev_major(item->inotify.sdev),
			kdev_minor(item->inotify.sdev));
		return 0;
	}
	wd->has_file_id = true;
	err = dump_file_id_of(dump, holder->task, holder->fd, &wd->file_id);
	return err < 0 ? fail(err, "inotify: watch %d is on descriptor %d of pid %d, which is not saved",
			      item->inotify.wd, holder->fd, holder->task->t.pid) :
			 0;
}

static int inotify_save(struct dump *dump, const struct fd_probe *probe, FileEntry *entry)
{
	InotifyFileEntry *ify = dump_alloc(dump, sizeof(*ify));
	int err, waiting = 0;

	if (!ify)
		return fail(-ENOMEM, "inotify");
	inotify_file_entry__init(ify);
	err = dump_fown(dump, probe, &ify->fown);
	if (err < 0)
		return err;
	ify->id = entry->id;
	ify->flags = probe->flags;
	entry->ify = ify;
	if (!ioctl(probe->local, FIONREAD, &waiting) && waiting)
		log_warn("inotify: %d bytes of events that have not been read are not kept", waiting);
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
		return fail(-EBADMSG, "files.img: file %u: an inotify without its record", file->id);
	for (size_t i = 0; i < ify->n_wd; i++) {
		const InotifyWdEntry *wd = ify->wd[i];

		if (!wd->wd || wd->wd > INT32_MAX || !(wd->mask & IN_ALL_EVENTS))
			return fail(-EBADMSG, "files.img: file %u: inotify watch %u with mask 0x%x", file->id, wd->wd,
				    wd->mask);
		if (wd->f_handle->bytes > FDINFO_HANDLE_MAX || wd->f_handle->bytes > wd->f_handle->n_handle * 8)
			return fail(-EBADMSG, "files.img: file %u: inotify watch %u: a handle of %u bytes in %zu words",
				    file->id, wd->wd, wd->f_handle->bytes, wd->f_handle->n_handle);
	}
	/* In ascending order the next number that the kernel would give is right at the end too. */
	if (ify->n_wd > 1)
		qsort(ify->wd, ify->n_wd, sizeof(*ify->wd), compare_wds);
	return 0;
}

static int inotify_link(struct restore *r, struct file *file, void *state)
{
	const InotifyFileEntry *ify = file->entry->ify;

	for (size_t i = 0; i < ify->n_wd; i++) {
		if (i && ify->wd[i]->wd == ify->wd[i - 1]->wd)
			return fail(-EBADMSG, "files.img: file %u: inotify watch %u is there twice", file->id,
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
	err = set_status_flags(fd, ify->flags, ify->fown);
	return err < 0 ? err : steal_fd(&fd);
}

static int inotify_find_handle(const InotifyWdEntry *wd)
{
	_cleanup_mountinfo_ struct mountinfo mounts = { 0 };
	struct handle handle = { .bytes = wd->f_handle->bytes, .type = (int32_t)wd->f_handle->type };
	_cleanup_proc_ struct proc self = PROC_CLOSED;
	int err;

	if (!handle.bytes)
		return -ENOENT;
	memcpy(handle.data, wd->f_handle->handle, handle.bytes);
	err = proc_open(getpid(), &self);
	if (err >= 0)
		err = mountinfo_read(&self, &mounts);
	return err < 0 ? err : handle_open_on(&mounts, wd->s_dev, &handle);
}

/* A descriptor of the inode that is watched. */
static int inotify_find(struct restore *r, const InotifyWdEntry *wd, bool *ret_borrowed)
{
	const char *path = wd->f_handle->path;
	int fd;

	*ret_borrowed = false;
	if (wd->has_file_id)
		return restore_borrow_fd(r, restore_file(r, wd->file_id, "an inotify watch"), ret_borrowed);
	fd = path ? path_open_if(path, wd->i_ino, wd->s_dev) : -ENOENT;
	if (fd < 0)
		fd = inotify_find_handle(wd);
	if (fd < 0 && path)
		fd = open_at(AT_FDCWD, path, O_PATH | O_NOFOLLOW, 0);
	if (fd < 0)
		return fail(fd, "inotify: watch %u: find %s (inode %lu of device %u:%u)", wd->wd,
			    path ? path : "the watched inode", wd->i_ino, kdev_major(wd->s_dev), kdev_minor(wd->s_dev));
	return fd;
}

static int inotify_add(struct restore *r, int inotify, const InotifyWdEntry *wd)
{
	int32_t want = (int32_t)wd->wd;
	char path[64];
	bool borrowed;
	int got, err = 0, fd;

	if (ioctl(inotify, INOTIFY_IOC_SETNEXTWD, want) < 0)
		return fail(-errno, "inotify: number the next watch %d (a kernel without CONFIG_CHECKPOINT_RESTORE?)",
			    want);
	fd = inotify_find(r, wd, &borrowed);
	if (fd < 0)
		return fd;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	got = inotify_add_watch(inotify, path, wd->mask & INOTIFY_MASK);
	if (got < 0)
		err = fail(-errno, "inotify: watch %s", wd->f_handle->path ? wd->f_handle->path : path);
	else if (got != want)
		err = fail(-EBADMSG, "inotify: watch %d got number %d: two watches of the image are on one inode now",
			   want, got);
	if (!borrowed)
		close(fd);
	return err;
}

static int inotify_finish(struct restore *r, struct file *file, const void *state, int fd)
{
	const InotifyFileEntry *ify = file->entry->ify;

	for (size_t i = 0; i < ify->n_wd; i++) {
		int err = inotify_add(r, fd, ify->wd[i]);
		if (err < 0)
			return err;
	}
	return 0;
}

const struct fd_kind inotify_kind = {
	.name = "inotify",
	.image_type = FD_TYPES__INOTIFY,
	.claims = inotify_claims,
	.save = inotify_save,
	.save_late = inotify_save_late,
	.load = inotify_load,
	.link = inotify_link,
	.open = inotify_open,
	.finish = inotify_finish,
};
