// SPDX-License-Identifier: GPL-2.0-only
/*
 * Files that --tmpfs-files saved: each is made again under its name, with its directories, if nothing is there. What is
 * there is left alone. A file gets its name when it is complete, so that nobody ever finds a part of one.
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

struct kept_file {
	struct record record; /* 0, id of the file */
	const struct file *file;
	RegFileEntry *reg;
	struct ghost *ghost;
};

int tmpfs_file_load(struct restore *r, struct regular_restore *data, const struct file *file)
{
	RegFileEntry *reg = file->entry->reg;
	struct kept_file *kept;
	size_t depth = 0;

	if (!reg->has_kept)
		return 0;
	for (const char *c = reg->name; *c; c++)
		depth += *c == '/';
	if (reg->n_kept_dirs >= depth || strstr(reg->name, "/../"))
		return fail(-EBADMSG, "files.img: file %u: %s has no %zu directories that can be made again", file->id,
			    reg->name, reg->n_kept_dirs);
	for (size_t i = 0; i < reg->n_kept_dirs; i++)
		if (!S_ISDIR(reg->kept_dirs[i]->mode))
			return fail(-EBADMSG, "files.img: file %u: what %s lies in is no directory", file->id,
				    reg->name);
	kept = record_new(&r->arena, &data->kept, 0, file->id, sizeof(*kept));
	if (!kept)
		return fail(-ENOMEM, "file %u", file->id);
	kept->file = file;
	kept->reg = reg;
	return ghost_load(r, data, reg->kept, &kept->ghost);
}

/* The first @depth directories of those that the images have; all of them: the one that the file lies in. */
static void dir_path(const RegFileEntry *reg, size_t depth, char path[PATH_MAX])
{
	memcpy(path, reg->name, strlen(reg->name) + 1);
	for (size_t i = depth; i <= reg->n_kept_dirs; i++) {
		char *slash = strrchr(path, '/');

		slash[slash == path] = 0;
	}
}

/* Somebody who may write to the mount must not have put a directory of his in its place. */
static int check_dir(const GhostFileEntry *head, int fd, const char *path)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return fail(-errno, "fstat %s", path);
	if (st.st_uid == head->uid && st.st_gid == head->gid)
		return 0;
	return fail(-EPERM, "%s belonged to %u:%u, and belongs to %u:%u now: remove it, or give it back", path,
		    head->uid, head->gid, st.st_uid, st.st_gid);
}

static int make_dir_again(struct restore *r, struct regular_restore *data, const struct kept_file *kept, size_t i,
			  const char *path)
{
	const struct audience *to = audience_of_file(r, kept->file);
	const char *name = strrchr(path, '/') + 1;
	char above[PATH_MAX];

	dir_path(kept->reg, i, above);
	_cleanup_close_ int parent = names_open_dir(r, to, above), dir = -1;
	if (parent < 0)
		return fail(parent, "open %s, to make %s again", above, path);
	if (mkdirat(parent, name, 0700) < 0)
		return errno == EEXIST ? 0 : fail(-errno, "make %s again", path);
	dir = open_made(parent, name, S_IFDIR);
	int err = dir < 0 ? dir : note_made(&data->made, to, path, dir);
	if (err)
		return fail(err, "make %s again", path);
	return set_attributes(r, kept->reg->kept_dirs[i], dir, path);
}

static int make_missing_dirs(struct restore *r, struct regular_restore *data, const struct kept_file *kept)
{
	char path[PATH_MAX];

	for (size_t i = 0; i < kept->reg->n_kept_dirs; i++) {
		int err = 0;

		dir_path(kept->reg, i + 1, path);
		opener_leave(r);
		for (int tries = 0; tries < 2; tries++) {
			_cleanup_close_ int fd = names_open_raw(r, path, O_PATH | O_DIRECTORY | O_NOFOLLOW);

			if (fd == -ENOENT && !tries) {
				err = make_dir_again(r, data, kept, i, path);
				opener_leave(r);
				if (err)
					return err;
				continue;
			}
			if (fd < 0)
				return fail(fd, "open %s", path);
			err = check_dir(kept->reg->kept_dirs[i], fd, path);
			if (err)
				return err;
			break;
		}
	}
	return 0;
}

/* -EEXIST: somebody was faster. Else *ret_fd is what has been made. */
static int make_node_in(struct restore *r, const struct kept_file *kept, int dir, const char *name, int *ret_fd)
{
	const GhostFileEntry *head = kept->ghost->head;
	_cleanup_close_ int fd = -1;
	uint64_t size;
	int err;

	if (S_ISREG(head->mode)) {
		fd = open_at(dir, ".", O_TMPFILE | O_WRONLY, 0600);
		opener_leave(r);
		err = fd < 0 ? fail(fd, "make %s again", kept->reg->name) : ghost_content(r, kept->ghost, fd, &size);
		if (!err && ftruncate(fd, (off_t)size) < 0)
			err = fail(-errno, "%s: set its size", kept->reg->name);
		if (!err)
			err = set_attributes(r, head, fd, kept->reg->name);
		if (err)
			return err;
		err = proc_fd_link(fd, dir, name);
	} else {
		err = S_ISDIR(head->mode) ? mkdirat(dir, name, 0700) : mknodat(dir, name, S_IFIFO | 0600, 0);
		err = err < 0 ? -errno : 0;
		fd = err ? -1 : open_made(dir, name, head->mode & S_IFMT);
		if (!err && fd >= 0)
			err = set_attributes(r, head, fd, kept->reg->name);
	}
	if (!err && fd < 0)
		err = fd;
	*ret_fd = err ? -1 : steal_fd(&fd);
	return err;
}

/* It is the file of the dump for certain: we have made it. */
static int note_identity(const struct kept_file *kept, int fd)
{
	RegFileEntry *reg = kept->reg;
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

static int make_file_again(struct restore *r, struct regular_restore *data, struct kept_file *kept)
{
	const struct audience *to = audience_of_file(r, kept->file);
	const char *name = strrchr(kept->reg->name, '/') + 1;
	char path[PATH_MAX];
	int err = make_missing_dirs(r, data, kept), fd = -1;

	if (err)
		return err;
	dir_path(kept->reg, kept->reg->n_kept_dirs, path);
	_cleanup_close_ int dir = names_open_dir(r, to, path), made = -1;
	if (dir < 0)
		return fail(dir, "open %s, to make %s again", path, kept->reg->name);
	if (kept->ghost->made_fd >= 0) {
		/* Another name of what has just been made. */
		opener_leave(r);
		err = proc_fd_link(kept->ghost->made_fd, dir, name);
		fd = err ? -1 : dup_fd_above(kept->ghost->made_fd, 0);
	} else {
		err = make_node_in(r, kept, dir, name, &fd);
	}
	made = fd;
	opener_leave(r);
	if (err == -EEXIST)
		return 0;
	if (!err)
		err = made < 0 ? made : note_made(&data->made, to, kept->reg->name, made);
	if (!err && kept->ghost->made_fd < 0) {
		kept->ghost->made_fd = move_fd_above(made, r->service_base);
		made = -1;
		err = kept->ghost->made_fd < 0 ? kept->ghost->made_fd : 0;
	}
	if (err)
		return fail(err, "make %s again", kept->reg->name);
	log_info("%s was missing: it is made again", kept->reg->name);
	return note_identity(kept, kept->ghost->made_fd);
}

static bool is_the_made_one(const struct kept_file *kept, int fd)
{
	struct stat a, b;

	return kept->ghost->made_fd >= 0 && !fstat(fd, &a) && !fstat(kept->ghost->made_fd, &b) &&
	       a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

static int make_if_missing(struct restore *r, struct regular_restore *data, struct kept_file *kept)
{
	_cleanup_close_ int fd = names_open_raw(r, kept->reg->name, O_PATH | O_NOFOLLOW);

	if (fd >= 0)
		return is_the_made_one(kept, fd) ? note_identity(kept, fd) : 0;
	return fd == -ENOENT ? make_file_again(r, data, kept) : fail(fd, "open %s", kept->reg->name);
}

static bool is_made(const struct made_array *made, const struct stat *st)
{
	for (size_t i = 0; i < made->n; i++)
		if (made->v[i].dev == st->st_dev && made->v[i].ino == st->st_ino)
			return true;
	return false;
}

/* Making files in them has changed their times. */
static int set_dir_times(struct restore *r, const struct regular_restore *data, const struct kept_file *kept)
{
	char path[PATH_MAX];
	struct stat st;
	int err = 0;

	for (size_t i = kept->reg->n_kept_dirs; !err && i > 0; i--) {
		dir_path(kept->reg, i, path);
		_cleanup_close_ int fd = names_open_raw(r, path, O_PATH | O_DIRECTORY | O_NOFOLLOW);
		if (fd >= 0 && !fstat(fd, &st) && is_made(&data->made, &st))
			err = set_times(kept->reg->kept_dirs[i - 1], fd, path);
	}
	if (!err && S_ISDIR(kept->ghost->head->mode) && kept->ghost->made_fd >= 0)
		err = set_times(kept->ghost->head, kept->ghost->made_fd, kept->reg->name);
	return err;
}

/* Directories before what lies in them: they may be files of the tree themselves. */
static int by_length(const void *a, const void *b)
{
	size_t x = strlen((*(struct kept_file *const *)a)->reg->name),
	       y = strlen((*(struct kept_file *const *)b)->reg->name);

	return x < y ? -1 : x > y;
}

int tmpfs_files_make(struct restore *r, struct regular_restore *data)
{
	_cleanup_free_ struct kept_file **order = calloc(data->kept.n + 1, sizeof(*order));
	size_t n = 0;
	int err = 0;

	if (!order)
		return fail(-ENOMEM, "files in a tmpfs");
	for (struct record *rec = data->kept.first; rec; rec = rec->next)
		order[n++] = (struct kept_file *)rec;
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

	for (size_t i = 0; data && i < data->made.n; i++)
		free(data->made.v[i].path);
	if (data)
		array_free(&data->made);
}

void tmpfs_files_failed(struct restore *r)
{
	struct regular_restore *data = *restore_kind_data(r, &regular_kind);

	if (data)
		take_names_away(r, &data->made);
}
