// SPDX-License-Identifier: GPL-2.0-only
/*
 * Watched inodes. fdinfo contains the file handle, from which the path is found; restore uses the path if it still
 * refers to that inode, else the handle (same file system, renamed since), else the path as it is (another host).
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "kernel/device.h"
#include "kinds/fd/reopen.h"
#include "kinds/fd/watched.h"
#include "run/names.h"
#include "run/obstacles.h"
#include "run/path.h"
#include "util/fds.h"
#include "util/log.h"
#include "util/proc_root.h"

#define HANDLE_WORDS_MIN FH_ENTRY_SIZES__min_entries /* CRIU expects at least this many */
#define HANDLE_WORDS_MAX (FDINFO_HANDLE_MAX / 8)

/* struct file_handle with space for the handle */
struct handle {
	uint32_t bytes;
	int32_t type;
	uint8_t data[FDINFO_HANDLE_MAX];
};

/* An O_PATH descriptor of the inode with that handle, on the file system of @mount. Causes no event. */
static int handle_open(const struct path_roots *roots, const struct mount_info *mount, const struct handle *handle)
{
	_cleanup_close_ int cwd = open_at(proc_root(), "self/cwd", O_PATH, 0),
			    at = path_open(roots, mount->mnt_id, mount->mountpoint, O_PATH);
	int fd;

	if (at < 0)
		return at;
	/*
	 * It rejects O_PATH descriptors, and a real open of the mount point would cause an event on it. The cwd is
	 * sufficient.
	 */
	if (fchdir(at) < 0)
		return -errno;
	fd = (int)open_by_handle_at(AT_FDCWD, /* style: see above */
				    (struct file_handle *)handle, O_PATH | O_CLOEXEC);
	if (fd < 0)
		fd = -errno;
	if (cwd >= 0 && fchdir(cwd) < 0 && fd >= 0) {
		close(fd);
		fd = -errno;
	}
	return fd;
}

/* The same on any mount of the device. */
static int handle_open_on(const struct path_roots *roots, const struct mountinfo *mounts, uint32_t dev,
			  const struct handle *handle)
{
	int fd = -ENODEV;

	for (size_t i = 0; i < mounts->n && fd < 0; i++)
		if (kdev_make(mounts->v[i].dev_major, mounts->v[i].dev_minor) == dev)
			fd = handle_open(roots, &mounts->v[i], handle);
	return fd;
}

static bool inode_is(int fd, uint64_t ino, uint32_t dev, struct stat *ret_st)
{
	/* The st_dev of a subvolume (btrfs) is not that of the file system. */
	return !fstat(fd, ret_st) && (uint64_t)ret_st->st_ino == ino &&
	       (dev_to_kdev(ret_st->st_dev) == dev || major(ret_st->st_dev) == 0);
}

/* An O_PATH descriptor of @path if it is that inode. */
static int path_open_if(const struct path_roots *roots, const char *path, uint64_t ino, uint32_t dev)
{
	_cleanup_close_ int fd = path_open(roots, PATH_ROOT_MOUNT, path, O_PATH | O_NOFOLLOW);
	struct stat st;

	if (fd < 0)
		return fd;
	return inode_is(fd, ino, dev, &st) ? steal_fd(&fd) : -ENOENT;
}

/* ---- dump ------------------------------------------------------------------------------- */

void watched_events(struct dump *dump, const struct fd_probe *probe, const char *kind)
{
	int waiting = 0;

	if (ioctl(probe->local, FIONREAD, &waiting) < 0 || !waiting)
		return;
	if (dump->opts->skip_events)
		log_warn("%s: %d bytes of unread events are dropped (--skip-events)", kind, waiting);
	else
		dump_transient_blocker(
			dump, probe->task, probe->fd,
			"%s: %d bytes of unread events, which cannot be requeued: dump after the program has read them, "
			"or drop them with --skip-events",
			kind, waiting);
}

bool watched_mount_is(const struct dump *dump, const char *path, int mnt_id)
{
	_cleanup_close_ int fd = path_open(&dump->roots, mnt_id, path, O_PATH);
	struct statx sx;

	return fd >= 0 && !statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &sx) && (int)sx.stx_mnt_id == mnt_id;
}

/* Searches @dir, at most @depth levels deep, on the same file system: options.irmap_scan_paths. */
static bool scan(struct dump *dump, const char *dir, const struct watched *w, int depth, char **ret_path)
{
	int fd = path_open_if(&dump->roots, dir, w->ino, w->sdev);
	_cleanup_closedir_ DIR *d = NULL;

	if (fd >= 0) {
		close(fd);
		*ret_path = dump_strdup(dump, dir);
		return true;
	}
	d = depth ? path_opendir(&dump->roots, PATH_ROOT_MOUNT, dir) : NULL;
	for (struct dirent *e = d ? readdir(d) : NULL; e; e = readdir(d)) {
		char path[PATH_MAX];

		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..") ||
		    path_join(path, sizeof(path), dir, e->d_name) < 0)
			continue;
		if (scan(dump, path, w, e->d_type == DT_DIR ? depth - 1 : 0, ret_path))
			return true;
	}
	return false;
}

/* Without a usable handle: likely paths of the inode. */
static void guess_path(struct dump *dump, const struct watched *w, char **ret_path)
{
	const struct str_list *dirs = &dump->opts->irmap_scan_paths;
	struct dump_task *task;
	char path[PATH_MAX];
	int fd;

	for (size_t i = 0; i < dump->mounts.n; i++)
		if (kdev_make(dump->mounts.v[i].dev_major, dump->mounts.v[i].dev_minor) == w->sdev &&
		    scan(dump, dump->mounts.v[i].mountpoint, w, 0, ret_path))
			return;
	dump_for_each_task(task, dump) {
		if (proc_link(&task->proc, "cwd", path, sizeof(path)) < 0)
			continue;
		fd = path_open_if(&dump->roots, path, w->ino, w->sdev);
		if (fd >= 0) {
			close(fd);
			*ret_path = dump_strdup(dump, path);
			return;
		}
	}
	for (size_t i = 0; i < dirs->n; i++)
		if (scan(dump, dirs->v[i], w, 16, ret_path))
			return;
}

/* A descriptor of the tree that refers to the watched inode: the only way to an unlinked one. */
static const struct fd_probe *holder_of(struct dump *dump, const struct watched *w)
{
	struct dump_task *task;

	dump_for_each_task(task, dump)
		for (size_t i = 0; i < task->nr_fds; i++)
			if ((uint64_t)task->fds[i].st.st_ino == w->ino &&
			    dev_to_kdev(task->fds[i].st.st_dev) == w->sdev)
				return &task->fds[i];
	return NULL;
}

/* Where the inode is: *ret_path or NULL; *ret_linked: found by its handle, and it has a name somewhere. */
static int locate(struct dump *dump, const struct watched *w, char **ret_path, bool *ret_linked)
{
	struct handle handle;
	_cleanup_close_ int fd = -1;
	char path[PATH_MAX];
	struct stat st;
	int same;

	*ret_path = NULL;
	*ret_linked = false;
	if (w->handle && !dump->opts->force_irmap) {
		handle.bytes = w->handle->bytes;
		handle.type = w->handle->type;
		memcpy(handle.data, w->handle->f_handle, sizeof(handle.data));
		fd = handle_open_on(&dump->roots, &dump->mounts, w->sdev, &handle);
	}
	if (fd < 0) {
		guess_path(dump, w, ret_path);
		return 0;
	}
	*ret_linked = !fstat(fd, &st) && st.st_nlink > 0;
	if (proc_fd_read_link(fd, path, sizeof(path)) < 0)
		return 0;
	same = path_open_if(&dump->roots, path, w->ino, w->sdev);
	if (same >= 0) {
		close(same);
		*ret_path = dump_strdup(dump, path);
		return *ret_path ? 0 : fail(-ENOMEM, "handle");
	}
	return 0;
}

static int save_handle(struct dump *dump, const struct watched *w, FhEntry **ret_fh)
{
	FhEntry *fh = dump_alloc(dump, sizeof(*fh));

	if (!fh)
		return fail(-ENOMEM, "handle");
	fh_entry__init(fh);
	fh->handle = dump_alloc(dump, HANDLE_WORDS_MAX * sizeof(*fh->handle));
	if (!fh->handle)
		return fail(-ENOMEM, "handle");
	if (w->handle) {
		fh->bytes = w->handle->bytes;
		fh->type = (uint32_t)w->handle->type;
		memcpy(fh->handle, w->handle->f_handle, w->handle->bytes);
	}
	fh->n_handle = (fh->bytes + 7) / 8;
	if (fh->n_handle < HANDLE_WORDS_MIN)
		fh->n_handle = HANDLE_WORDS_MIN;
	*ret_fh = fh;
	return 0;
}

int watched_save(struct dump *dump, const struct watched *w, FhEntry **ret_fh, const struct fd_probe **ret_holder,
		 bool *ret_lost)
{
	const struct fd_probe *holder = NULL;
	bool linked;
	FhEntry *fh = NULL;
	int err = save_handle(dump, w, &fh);

	if (err >= 0)
		err = locate(dump, w, &fh->path, &linked);
	if (err < 0)
		return err;
	if (!fh->path && !linked)
		holder = holder_of(dump, w);
	*ret_fh = fh;
	*ret_holder = holder;
	*ret_lost = !fh->path && !linked && !holder;
	return 0;
}

/* ---- restore ---------------------------------------------------------------------------- */

int watched_load(const struct file *file, const FhEntry *fh)
{
	if (fh->bytes > FDINFO_HANDLE_MAX || fh->bytes > fh->n_handle * 8)
		return fail(-EBADMSG, "files.img: file %u: a file handle of %u bytes in %zu words", file->id, fh->bytes,
			    fh->n_handle);
	return 0;
}

static int find_handle(const FhEntry *fh, uint32_t sdev)
{
	_cleanup_mountinfo_ struct mountinfo mounts = { 0 };
	struct handle handle = { .bytes = fh->bytes, .type = (int32_t)fh->type };
	_cleanup_proc_ struct proc self = PROC_CLOSED;
	int err;

	if (!handle.bytes)
		return -ENOENT;
	memcpy(handle.data, fh->handle, handle.bytes);
	err = proc_open_self(&self);
	if (err >= 0)
		err = mountinfo_read(&self, &mounts);
	return err < 0 ? err : handle_open_on(&PATH_OWN, &mounts, sdev, &handle);
}

/* A handle contains a generation: another file with the same inode number has a different one. */
static bool has_handle(int fd, const FhEntry *fh)
{
	struct {
		struct file_handle head;
		uint8_t bytes[FDINFO_HANDLE_MAX];
	} handle = { .head.handle_bytes = FDINFO_HANDLE_MAX };
	int mnt_id;

	return fh->bytes && !name_to_handle_at(fd, "", &handle.head, &mnt_id, AT_EMPTY_PATH) &&
	       handle.head.handle_bytes == fh->bytes && handle.head.handle_type == (int)fh->type &&
	       !memcmp(handle.head.f_handle, fh->handle, fh->bytes);
}

static int open_known(const struct restore *r, const struct watched_inode *inode)
{
	const FhEntry *fh = inode->fh;
	int fd = fh->path ? path_open_if(&r->roots, fh->path, inode->ino, inode->sdev) : -ENOENT;

	if (fd >= 0 && (!inode->to || has_handle(fd, fh)))
		return fd;
	if (fd >= 0)
		close(fd);
	return find_handle(fh, inode->sdev);
}

int watched_find(struct restore *r, const struct watched_inode *inode, bool *ret_borrowed)
{
	const struct audience *to = inode->to;
	const FhEntry *fh = inode->fh;
	int fd;

	*ret_borrowed = false;
	if (inode->has_file_id)
		return restore_borrow_fd(r, restore_file(r, inode->file_id, "a watch"), ret_borrowed);
	fd = open_known(r, inode);
	if (fd < 0 && fh->path && to) {
		fd = names_open(r, to, &(struct name_wanted){ fh->path, O_PATH | O_NOFOLLOW, NULL, PATH_ROOT_MOUNT },
				R_OK);
		opener_leave(r);
		return fd;
	}
	if (fd < 0 && fh->path)
		fd = path_open(&r->roots, PATH_ROOT_MOUNT, fh->path, O_PATH | O_NOFOLLOW);
	if (fd < 0)
		return fail(fd, "find %s, which was watched (inode %lu of device %u:%u)%s",
			    fh->path ? fh->path : "the inode", inode->ino, kdev_major(inode->sdev),
			    kdev_minor(inode->sdev), fh->path ? ": put it back where it was" : "");
	return fd;
}

int watched_check_here(struct restore *r, const struct watched_inode *inode)
{
	_cleanup_close_ int fd = -1;
	bool borrowed;

	/* A file of the tree is checked for itself. */
	if (inode->has_file_id || !restore_paths_exist(r))
		return 0;
	fd = watched_find(r, inode, &borrowed);
	return fd < 0 ? fd : 0;
}

int watched_drop_events(struct restore *r, const struct file *file, void (*each)(const void *buf, size_t len))
{
	_cleanup_close_ int fd = -1;
	char buf[16384] __attribute__((aligned(8)));
	int waiting, left = INT_MAX;

	if (!file->owner)
		return 0;
	fd = restore_copy_fd(r, file);
	if (fd < 0)
		return fd;
	/* An event that cannot be delivered returns an error, and is removed. */
	while (!ioctl(fd, FIONREAD, &waiting) && waiting > 0) {
		ssize_t len = read(fd, buf, sizeof(buf));

		if (len > 0 && each)
			each(buf, (size_t)len);
		if (len < 0 && errno != EINTR && waiting >= left)
			return fail(-errno, "remove events from file %#x", file->id);
		left = waiting;
	}
	return 0;
}
