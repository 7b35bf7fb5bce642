// SPDX-License-Identifier: GPL-2.0-only
/*
 * Files without a name are created in the tool before it forks: each under its old name if that is free (so that /proc
 * shows "NAME (deleted)" again), kept open by an O_PATH descriptor; all names are removed before the first task exists.
 * Tasks open the files through /proc/self/fd.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "kernel/device.h"
#include "kinds/fd/regular/internal.h"
#include "util/fds.h"
#include "util/proc_root.h"
#include "util/str.h"

#define OTHER_NAME_TRIES 1000

struct location {
	int dir; /* the directory, O_PATH */
	const struct audience *to; /* the tasks that it is created for */
	const struct opener *as; /* whose rights are used: run/names.h */
	int fd; /* the new file: O_PATH, or open for writing; -1: not created yet */
	char name[NAME_MAX + 1];
	char path[PATH_MAX];
};

/*
 * Opens the directory at @path, with the rights to create names in it. Removed directories are created again for as
 * long as they are needed; if something else has the name of one, its parent is used: @path becomes the path of the
 * directory that is returned.
 */
static int open_or_make_dir(struct restore *r, const struct remap *remap, struct created_array *created,
			    char path[PATH_MAX])
{
	char name[NAME_MAX + 1], above[PATH_MAX];
	_cleanup_close_ int parent = -1, dir = -1;
	const struct audience *to = audience_of_file(r, remap->file);
	int fd = names_open_dir(r, to, remap->reg->mnt_id, path), err;

	if (fd != -ENOENT && fd != -ENOTDIR)
		return fd;
	err = split_path(path, name);
	if (err)
		return err;
	parent = open_or_make_dir(r, remap, created, path);
	if (parent < 0)
		return parent;
	if (fd == -ENOTDIR)
		return steal_fd(&parent);
	if (mkdirat(parent, name, 0700) < 0)
		return errno == EEXIST ? steal_fd(&parent) : -errno;
	memcpy(above, path, strlen(path) + 1);
	err = path_join(path, PATH_MAX, above, name);
	if (err)
		return err;
	dir = open_created(parent, name, S_IFDIR);
	err = dir < 0 ? dir : note_created(created, to, remap->reg->mnt_id, path, dir);
	if (err)
		remove_unnoted(parent, name, true, err);
	return err ? err : steal_fd(&dir);
}

static int find_location(struct restore *r, const struct remap *remap, struct created_array *created,
			 struct location *location)
{
	char dir[PATH_MAX];
	int err = str_format(dir, sizeof(dir), "%s", remap->reg->name);

	location->to = audience_of_file(r, remap->file);
	location->fd = -1;
	if (!err)
		err = split_path(dir, location->name);
	if (err)
		return err;
	_cleanup_close_ int fd = open_or_make_dir(r, remap, created, dir);
	if (fd < 0)
		return fd;
	err = path_join(location->path, sizeof(location->path), dir, location->name);
	if (err)
		return err;
	location->as = r->process.opened_as;
	location->dir = steal_fd(&fd);
	return 0;
}

/* Tries @make with the old name, then with others: "NAME.cr.N.ghost". */
static int make_with_free_name(struct location *location, uint32_t id, int (*make)(struct location *, const void *),
			       const void *arg)
{
	size_t dir_len = strrchr(location->path, '/') + 1 - location->path;
	char old[NAME_MAX + 1], suffix[32];
	int err = make(location, arg);

	memcpy(old, location->name, sizeof(old));
	for (unsigned n = 0; err == -EEXIST && n < OTHER_NAME_TRIES; n++) {
		snprintf(suffix, sizeof(suffix), ".cr.%x.ghost", id + n);
		snprintf(location->name, sizeof(location->name), "%.*s%s", (int)(NAME_MAX - strlen(suffix)), old,
			 suffix);
		if (str_format(location->path + dir_len, sizeof(location->path) - dir_len, "%s", location->name))
			return -ENAMETOOLONG;
		err = make(location, arg);
	}
	return err;
}

static int make_node(struct location *location, const void *arg)
{
	const GhostFileEntry *head = arg;
	mode_t type = head->mode & S_IFMT;
	int err;

	switch (type) {
	case S_IFREG:
		location->fd = open_at(location->dir, location->name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
		return location->fd < 0 ? location->fd : 0;
	case S_IFDIR:
		err = mkdirat(location->dir, location->name, 0700);
		break;
	case S_IFLNK:
		err = symlinkat(head->symlnk_target, location->dir, location->name);
		break;
	default:
		err = mknodat(location->dir, location->name, type | 0600, kdev_to_dev(head->rdev));
	}
	if (err < 0)
		return -errno;
	location->fd = open_created(location->dir, location->name, type);
	if (location->fd < 0)
		remove_unnoted(location->dir, location->name, type == S_IFDIR, location->fd);
	return location->fd < 0 ? location->fd : 0;
}

static int make_link(struct location *location, const void *arg)
{
	return proc_fd_link(*(const int *)arg, location->dir, location->name);
}

/* Opens the new link to @of, which the owner of the directory may have replaced already. */
static int open_linked(const struct location *location, int of)
{
	_cleanup_close_ int fd = open_at(location->dir, location->name, O_PATH | O_NOFOLLOW, 0);
	struct stat a, b;

	if (fd < 0)
		return fd;
	if (fstat(fd, &a) < 0 || fstat(of, &b) < 0)
		return -errno;
	return a.st_dev == b.st_dev && a.st_ino == b.st_ino ? steal_fd(&fd) : -EAGAIN;
}

static int fill_content(struct restore *r, const struct ghost *ghost, int fd, const char *path)
{
	uint64_t size;
	int err;

	if (fd < 0)
		return fail(fd, "open %s", path);
	err = ghost_content(r, ghost, fd, &size);
	if (err)
		return err;
	return ftruncate(fd, size) < 0 ? fail(-errno, "%s: set its size", path) : 0;
}

/* Takes ownership of @fd, and reopens it as O_PATH if needed. */
static int keep_open(struct restore *r, const struct location *location, int fd, struct remap *remap)
{
	int flags = fcntl(fd, F_GETFL);
	_cleanup_close_ int own = fd, again = flags >= 0 && flags & O_PATH ? steal_fd(&own) : reopen_fd(fd, O_PATH);
	int high = again < 0 ? again : move_fd_above(again, r->service_base);

	if (high < 0)
		return fail(high, "keep %s open", location->path);
	again = -1;
	remap->fd = high;
	return 0;
}

/* What has been created from one ghost or link, by type and id. */
struct inode {
	struct record record;
	struct remap *last;
};

/*
 * An earlier remap with the same inode, NULL: none. With the same name it is the same file; with another one it becomes
 * a hard link, so that /proc shows both names again.
 */
static int find_same_inode(struct restore *r, struct record_table *inodes, struct remap *remap,
			   struct remap **ret_before, bool *ret_same_name)
{
	uint64_t type = remap->ghost ? REMAP_TYPE__GHOST : REMAP_TYPE__LINKED;
	struct inode *inode = record_find(inodes, type, remap->entry->remap_id);
	struct remap *found;

	if (!inode)
		inode = record_new(&r->arena, inodes, type, remap->entry->remap_id, sizeof(*inode));
	if (!inode)
		return fail(-ENOMEM, "unlinked files");
	for (found = inode->last; found && strcmp(found->reg->name, remap->reg->name);)
		found = found->same_inode;
	*ret_same_name = found;
	*ret_before = found ? found : inode->last;
	remap->same_inode = inode->last;
	inode->last = remap;
	return 0;
}

/*
 * A file that never had a name (O_TMPFILE) can still be linked by linkat(2), but only if it is created in the same way.
 * Only the description that creates it has that flag, so it is passed on itself.
 */
static int make_nameless(struct restore *r, const struct location *location, struct remap *remap)
{
	unsigned flags = remap->reg->flags & (O_ACCMODE | O_APPEND | O_NONBLOCK | O_NOATIME | O_DIRECT);
	_cleanup_close_ int fd = open_at(location->dir, ".", O_TMPFILE | flags, 0600), filler = -1;
	int err;

	if (fd < 0)
		return fd;
	filler = reopen_fd(fd, O_WRONLY);
	opener_leave(r);
	err = fill_content(r, remap->ghost, filler, location->path);
	if (!err)
		err = set_attributes(r, remap->ghost->head, fd, location->path);
	if (err)
		return err;
	remap->fd = move_fd_above(fd, r->service_base);
	if (remap->fd < 0)
		return fail(remap->fd, "keep %s open", location->path);
	fd = -1;
	remap->is_description = true;
	return 0;
}

/*
 * Another file has the old name @name by now, and ours has another one. The two names are exchanged, then the other
 * file is renamed over ours: the name leads to a file at any time, and /proc shows ours as "NAME (deleted)", which
 * programs use to find out how to start themselves again. A child does it, so that killing us cannot interrupt it.
 */
static int replace_by_other_file(const struct location *location, const char *name)
{
	/* Not vfork(2): sanitizers cannot handle it on a stack that they do not know (kernel/ns_run.h). */
	pid_t pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
	int err = 0, status;

	if (pid < 0)
		return -errno;
	if (!pid) {
		if (renameat2(location->dir, location->name, location->dir, name, RENAME_EXCHANGE) < 0) {
			err = errno;
		} else if (renameat(location->dir, location->name, location->dir, name) < 0) {
			err = errno;
			renameat2(location->dir, location->name, location->dir, name, RENAME_EXCHANGE);
		}
		_exit(err);
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -ECHILD;
}

/* Only the name is at stake: if it fails, /proc shows another one. */
static void drop_name(struct restore *r, struct created_array *created, const struct location *location,
		      const struct remap *remap)
{
	const char *name = strrchr(remap->reg->name, '/') + 1;
	struct stat ours, other;

	if (!strcmp(location->name, name) || opener_enter(r, location->as) ||
	    fstatat(location->dir, location->name, &ours, AT_SYMLINK_NOFOLLOW) < 0 ||
	    fstatat(location->dir, name, &other, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(ours.st_mode) ||
	    !S_ISREG(other.st_mode) || (ours.st_dev == other.st_dev && ours.st_ino == other.st_ino))
		return;
	if (replace_by_other_file(location, name)) {
		log_info("%s is in use: /proc shows it as %s", remap->reg->name, location->path);
		return;
	}
	free(created->v[--created->n].path);
}

static int make_named(struct restore *r, struct created_array *created, struct location *location, struct remap *remap,
		      const struct remap *before)
{
	const GhostFileEntry *head = remap->ghost->head;
	int err = make_with_free_name(location, remap->entry->remap_id, before ? make_link : make_node,
				      before ? (const void *)&before->fd : head);

	bool named = !err;
	if (!err && before)
		location->fd = open_linked(location, before->fd);
	if (!err && location->fd < 0)
		err = location->fd;
	_cleanup_close_ int fd = location->fd;
	if (!err)
		err = note_created(created, location->to, remap->reg->mnt_id, location->path, fd);
	if (err && named)
		remove_unnoted(location->dir, location->name, S_ISDIR(head->mode), err);
	if (err)
		return fail(err, "%s was unlinked: create it again", remap->reg->name);
	opener_leave(r);
	if (!before && S_ISREG(head->mode))
		err = fill_content(r, remap->ghost, fd, location->path);
	if (!err && !before)
		err = set_attributes(r, head, fd, location->path);
	if (!err)
		err = keep_open(r, location, steal_fd(&fd), remap);
	if (!err)
		drop_name(r, created, location, remap);
	return err;
}

static int make_ghost(struct restore *r, struct created_array *created, struct remap *remap, const struct remap *before)
{
	bool nameless = S_ISREG(remap->ghost->head->mode) && remap->reg->flags & O_TMPFILE & ~O_DIRECTORY;
	struct location location;
	int err = find_location(r, remap, created, &location);

	if (err)
		return fail(err, "%s was unlinked: find its directory", remap->reg->name);
	_cleanup_close_ int dir = location.dir;
	err = nameless && !before ? make_nameless(r, &location, remap) : -EOPNOTSUPP;
	if (err == -EOPNOTSUPP || err == -EISDIR)
		err = make_named(r, created, &location, remap, before);
	return err;
}

/* Opens that name, if it certainly leads to the file; else only if those that get it may open it (open_remap). */
static int open_link_remap(struct restore *r, struct remap *remap)
{
	const struct audience *to = audience_of_file(r, remap->file);
	struct name_was was = names_was(remap->to);
	int fd = names_prove(r, to, remap->to->name, O_NOFOLLOW, &was);

	remap->proven = to && fd >= 0;
	if (to && fd == -EACCES)
		fd = names_open(r, to,
				&(struct name_wanted){ remap->to->name, O_PATH | O_NOFOLLOW, NULL, remap->to->mnt_id },
				0);
	return fd;
}

/* Links it under its old name, so that /proc shows that one; if it fails, /proc shows the one from --link-remap. */
static int link_old_name(struct restore *r, struct created_array *created, struct remap *remap, int from,
			 struct location *location)
{
	int err = make_with_free_name(location, remap->record.b, make_link, &from);

	if (err)
		return err;
	_cleanup_close_ int fd = open_linked(location, from);
	err = fd < 0 ? fd : note_created(created, location->to, remap->reg->mnt_id, location->path, fd);
	if (err) {
		remove_unnoted(location->dir, location->name, false, err);
		return err;
	}
	err = keep_open(r, location, steal_fd(&fd), remap);
	if (!err)
		drop_name(r, created, location, remap);
	return err;
}

static int make_linked(struct restore *r, struct created_array *created, struct remap *remap)
{
	_cleanup_close_ int from = open_link_remap(r, remap);
	struct location location;
	int err;

	if (from < 0)
		return fail(from, "open %s, the name that --link-remap gave to %s (it can be restored once)",
			    remap->to->name, remap->reg->name);
	err = regular_check_content(r, remap->to, from);
	if (err)
		return err;
	err = remap->same_inode ? 0 : link_name_prepare(r, remap, from);
	if (err)
		return fail(err, "open the directory of %s, to remove that name afterwards", remap->to->name);
	err = find_location(r, remap, created, &location);
	if (err)
		return fail(err, "%s was unlinked: find its directory", remap->reg->name);
	_cleanup_close_ int dir = location.dir;
	err = link_old_name(r, created, remap, from, &location);
	/* A file of another user: fs.protected_hardlinks. */
	if (location.as && (err == -EPERM || err == -EACCES))
		err = keep_open(r, &location, steal_fd(&from), remap);
	return err ? fail(err, "%s: link it under its old name", remap->reg->name) : 0;
}

/* The same file, for another task. */
static int verify_for(struct restore *r, struct remap *remap)
{
	_cleanup_close_ int fd = open_link_remap(r, remap);

	opener_leave(r);
	return fd < 0 ? fd : 0;
}

static int make_remap(struct restore *r, struct record_table *inodes, struct created_array *created,
		      struct remap *remap)
{
	struct remap *before = NULL;
	bool same_name = false;
	int err = find_same_inode(r, inodes, remap, &before, &same_name);

	if (err)
		return err;
	if (before && (same_name || (remap->ghost && S_ISDIR(remap->ghost->head->mode)))) {
		remap->fd = before->fd;
		return remap->to ? verify_for(r, remap) : 0;
	}
	return remap->ghost ? make_ghost(r, created, remap, before) : make_linked(r, created, remap);
}

/* Creating and removing files in a directory has changed its times. */
static int set_dir_times(struct remap *const *remaps, size_t n)
{
	int err = 0;

	for (size_t i = 0; i < n && !err; i++) {
		if (remaps[i]->ghost && S_ISDIR(remaps[i]->ghost->head->mode))
			err = set_times(remaps[i]->ghost->head, remaps[i]->fd, remaps[i]->reg->name);
	}
	return err;
}

/* Directories before their content. */
static int by_depth(const void *a, const void *b)
{
	const struct remap *x = *(const struct remap *const *)a, *y = *(const struct remap *const *)b;
	bool dx = x->ghost && S_ISDIR(x->ghost->head->mode), dy = y->ghost && S_ISDIR(y->ghost->head->mode);
	size_t lx, ly;

	if (dx != dy)
		return dx ? -1 : 1;
	lx = dx ? strlen(x->reg->name) : x->record.b;
	ly = dy ? strlen(y->reg->name) : y->record.b;
	return lx < ly ? -1 : lx > ly;
}

int remaps_make(struct restore *r, struct regular_restore *data)
{
	_cleanup_free_ struct remap **order = calloc(data->remaps.n + 1, sizeof(*order));
	struct record_table inodes = { 0 };
	struct created_array created = { 0 };
	size_t n = 0;
	int err = 0, undone;

	if (!order)
		return fail(-ENOMEM, "unlinked files");
	for (struct record *rec = data->remaps.first; rec; rec = rec->next) {
		struct remap *remap = (struct remap *)rec;

		/* For a file of another kind, or one passed with --inherit-fd. */
		if (remap->reg && !remap->of_gone_task)
			order[n++] = remap;
	}
	qsort(order, n, sizeof(*order), by_depth);
	for (size_t i = 0; !err && i < n; i++)
		err = make_remap(r, &inodes, &created, order[i]);
	undone = remove_names(r, &created);
	if (!err)
		err = undone;
	return err ? err : set_dir_times(order, n);
}
