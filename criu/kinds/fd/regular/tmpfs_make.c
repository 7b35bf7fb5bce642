// SPDX-License-Identifier: GPL-2.0-only
/*
 * Files saved by --tmpfs-files: each is created under its name, with its directories, if nothing exists there. Existing
 * files are left alone. A file gets its name when it is complete, so that no process ever finds part of it.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "kinds/fd/regular/internal.h"
#include "kinds/kinds.h"
#include "util/fds.h"
#include "util/proc_root.h"
#include "util/str.h"

struct saved_file {
	struct record record; /* 0, id of the file */
	const struct file *file;
	RegFileEntry *reg;
	struct ghost *ghost;
};

int tmpfs_file_load(struct restore *r, struct regular_restore *data, const struct file *file)
{
	RegFileEntry *reg = file->entry->reg;
	struct saved_file *saved;
	size_t depth = 0;

	if (!reg->has_kept)
		return 0;
	for (const char *c = reg->name; *c; c++)
		depth += *c == '/';
	if (reg->n_kept_dirs >= depth || strstr(reg->name, "/../"))
		return fail(-EBADMSG, "files.img: file %u: %s has no %zu directories that can be created", file->id,
			    reg->name, reg->n_kept_dirs);
	for (size_t i = 0; i < reg->n_kept_dirs; i++)
		if (!S_ISDIR(reg->kept_dirs[i]->mode))
			return fail(-EBADMSG, "files.img: file %u: the parent of %s is not a directory", file->id,
				    reg->name);
	saved = record_new(&r->arena, &data->saved, 0, file->id, sizeof(*saved));
	if (!saved)
		return fail(-ENOMEM, "file %u", file->id);
	saved->file = file;
	saved->reg = reg;
	return ghost_load(r, data, reg->kept, &saved->ghost);
}

/* The path of the first @depth directories that the images have; with all of them: the file's own directory. */
static void dir_path(const RegFileEntry *reg, size_t depth, char path[PATH_MAX])
{
	memcpy(path, reg->name, strlen(reg->name) + 1);
	for (size_t i = depth; i <= reg->n_kept_dirs; i++) {
		char *slash = strrchr(path, '/');

		slash[slash == path] = 0;
	}
}

/* Another user who may write to the mount must not have put his own directory in its place. */
static int check_dir(const GhostFileEntry *head, int fd, const char *path)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return fail(-errno, "fstat %s", path);
	if (st.st_uid == head->uid && st.st_gid == head->gid)
		return 0;
	return fail(-EPERM, "%s belonged to %u:%u, and belongs to %u:%u now; remove it, or change its owner back", path,
		    head->uid, head->gid, st.st_uid, st.st_gid);
}

static int make_dir_again(struct restore *r, struct regular_restore *data, const struct saved_file *saved, size_t i,
			  const char *path)
{
	const struct audience *to = audience_of_file(r, saved->file);
	const char *name = strrchr(path, '/') + 1;
	char above[PATH_MAX];

	dir_path(saved->reg, i, above);
	_cleanup_close_ int parent = names_open_dir(r, to, saved->reg->mnt_id, above), dir = -1;
	if (parent < 0)
		return fail(parent, "open %s, to create %s", above, path);
	if (mkdirat(parent, name, 0700) < 0)
		return errno == EEXIST ? 0 : fail(-errno, "create %s", path);
	dir = open_created(parent, name, S_IFDIR);
	int err = dir < 0 ? dir : note_created(&data->created, to, saved->reg->mnt_id, path, dir);
	if (err)
		return fail(err, "create %s", path);
	return set_attributes(r, saved->reg->kept_dirs[i], dir, path);
}

static int make_missing_dirs(struct restore *r, struct regular_restore *data, const struct saved_file *saved)
{
	char path[PATH_MAX];

	for (size_t i = 0; i < saved->reg->n_kept_dirs; i++) {
		int err = 0;

		dir_path(saved->reg, i + 1, path);
		opener_leave(r);
		for (int tries = 0; tries < 2; tries++) {
			_cleanup_close_ int fd =
				names_open_raw(r, saved->reg->mnt_id, path, O_PATH | O_DIRECTORY | O_NOFOLLOW);

			if (fd == -ENOENT && !tries) {
				err = make_dir_again(r, data, saved, i, path);
				opener_leave(r);
				if (err)
					return err;
				continue;
			}
			if (fd < 0)
				return fail(fd, "open %s", path);
			err = check_dir(saved->reg->kept_dirs[i], fd, path);
			if (err)
				return err;
			break;
		}
	}
	return 0;
}

/* -EEXIST: another process was faster. Otherwise *ret_fd is the new file. */
static int make_node_in(struct restore *r, const struct saved_file *saved, int dir, const char *name, int *ret_fd)
{
	const GhostFileEntry *head = saved->ghost->head;
	_cleanup_close_ int fd = -1;
	uint64_t size;
	int err;

	if (S_ISREG(head->mode)) {
		fd = open_at(dir, ".", O_TMPFILE | O_WRONLY, 0600);
		opener_leave(r);
		err = fd < 0 ? fail(fd, "create %s", saved->reg->name) : ghost_content(r, saved->ghost, fd, &size);
		if (!err && ftruncate(fd, (off_t)size) < 0)
			err = fail(-errno, "%s: set its size", saved->reg->name);
		if (!err)
			err = set_attributes(r, head, fd, saved->reg->name);
		if (err)
			return err;
		err = proc_fd_link(fd, dir, name);
	} else {
		err = S_ISDIR(head->mode) ? mkdirat(dir, name, 0700) : mknodat(dir, name, S_IFIFO | 0600, 0);
		err = err < 0 ? -errno : 0;
		fd = err ? -1 : open_created(dir, name, head->mode & S_IFMT);
		if (!err && fd >= 0)
			err = set_attributes(r, head, fd, saved->reg->name);
	}
	if (!err && fd < 0)
		err = fd;
	*ret_fd = err ? -1 : steal_fd(&fd);
	return err;
}

/* It is certainly the file of the dump: we have created it. */
static int note_identity(const struct saved_file *saved, int fd)
{
	RegFileEntry *reg = saved->reg;
	struct statx sx;
	struct stat st;

	if (fstat(fd, &st) < 0 || statx(fd, "", AT_EMPTY_PATH, STATX_BTIME, &sx) < 0)
		return fail(-errno, "stat %s", reg->name);
	reg->has_dev = reg->has_ino = reg->has_birth = true;
	reg->dev = st.st_dev;
	reg->ino = st.st_ino;
	reg->birth = statx_birth(&sx);
	return 0;
}

static int make_file_again(struct restore *r, struct regular_restore *data, struct saved_file *saved)
{
	const struct audience *to = audience_of_file(r, saved->file);
	const char *name = strrchr(saved->reg->name, '/') + 1;
	char path[PATH_MAX];
	int err = make_missing_dirs(r, data, saved), fd = -1;

	if (err)
		return err;
	dir_path(saved->reg, saved->reg->n_kept_dirs, path);
	_cleanup_close_ int dir = names_open_dir(r, to, saved->reg->mnt_id, path), created = -1;
	if (dir < 0)
		return fail(dir, "open %s, to create %s", path, saved->reg->name);
	if (saved->ghost->created_fd >= 0) {
		/* Another name of the file that has just been created. */
		opener_leave(r);
		err = proc_fd_link(saved->ghost->created_fd, dir, name);
		fd = err ? -1 : dup_fd_above(saved->ghost->created_fd, 0);
	} else {
		err = make_node_in(r, saved, dir, name, &fd);
	}
	created = fd;
	opener_leave(r);
	if (err == -EEXIST)
		return 0;
	if (!err)
		err = created < 0 ? created :
				    note_created(&data->created, to, saved->reg->mnt_id, saved->reg->name, created);
	if (!err && saved->ghost->created_fd < 0) {
		saved->ghost->created_fd = move_fd_above(created, r->service_base);
		created = -1;
		err = saved->ghost->created_fd < 0 ? saved->ghost->created_fd : 0;
	}
	if (err)
		return fail(err, "create %s", saved->reg->name);
	log_info("%s was missing and has been created again", saved->reg->name);
	return note_identity(saved, saved->ghost->created_fd);
}

static bool is_created_file(const struct saved_file *saved, int fd)
{
	struct stat a, b;

	return saved->ghost->created_fd >= 0 && !fstat(fd, &a) && !fstat(saved->ghost->created_fd, &b) &&
	       a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

static int make_if_missing(struct restore *r, struct regular_restore *data, struct saved_file *saved)
{
	_cleanup_close_ int fd = names_open_raw(r, saved->reg->mnt_id, saved->reg->name, O_PATH | O_NOFOLLOW);

	if (fd >= 0)
		return is_created_file(saved, fd) ? note_identity(saved, fd) : 0;
	return fd == -ENOENT ? make_file_again(r, data, saved) : fail(fd, "open %s", saved->reg->name);
}

static bool is_created(const struct created_array *created, const struct stat *st)
{
	for (size_t i = 0; i < created->n; i++)
		if (created->v[i].dev == st->st_dev && created->v[i].ino == st->st_ino)
			return true;
	return false;
}

/* Creating files in them has changed their times. */
static int set_dir_times(struct restore *r, const struct regular_restore *data, const struct saved_file *saved)
{
	char path[PATH_MAX];
	struct stat st;
	int err = 0;

	for (size_t i = saved->reg->n_kept_dirs; !err && i > 0; i--) {
		dir_path(saved->reg, i, path);
		_cleanup_close_ int fd = names_open_raw(r, saved->reg->mnt_id, path, O_PATH | O_DIRECTORY | O_NOFOLLOW);
		if (fd >= 0 && !fstat(fd, &st) && is_created(&data->created, &st))
			err = set_times(saved->reg->kept_dirs[i - 1], fd, path);
	}
	if (!err && S_ISDIR(saved->ghost->head->mode) && saved->ghost->created_fd >= 0)
		err = set_times(saved->ghost->head, saved->ghost->created_fd, saved->reg->name);
	return err;
}

/* Directories before their content: they may be files of the tree themselves. */
static int by_length(const void *a, const void *b)
{
	size_t x = strlen((*(struct saved_file *const *)a)->reg->name),
	       y = strlen((*(struct saved_file *const *)b)->reg->name);

	return x < y ? -1 : x > y;
}

int tmpfs_files_make(struct restore *r, struct regular_restore *data)
{
	_cleanup_free_ struct saved_file **order = calloc(data->saved.n + 1, sizeof(*order));
	size_t n = 0;
	int err = 0;

	if (!order)
		return fail(-ENOMEM, "files in a tmpfs");
	for (struct record *rec = data->saved.first; rec; rec = rec->next)
		order[n++] = (struct saved_file *)rec;
	qsort(order, n, sizeof(*order), by_length);
	for (size_t i = 0; !err && i < n; i++)
		err = make_if_missing(r, data, order[i]);
	for (size_t i = 0; !err && i < n; i++)
		err = set_dir_times(r, data, order[i]);
	opener_leave(r);
	return err;
}

void tmpfs_files_committed(struct restore *r)
{
	struct regular_restore *data = *restore_kind_data(r, &regular_kind);

	for (size_t i = 0; data && i < data->created.n; i++)
		free(data->created.v[i].path);
	if (data)
		array_free(&data->created);
}

void tmpfs_files_failed(struct restore *r)
{
	struct regular_restore *data = *restore_kind_data(r, &regular_kind);

	if (data)
		remove_names(r, &data->created);
}
