// SPDX-License-Identifier: GPL-2.0-only
/*
 * Files without a name, in the tool before it forks: each is made under its old name where that is free (so that
 * /proc shows "NAME (deleted)" again), held by an O_PATH descriptor, and all names are taken away before the first task
 * exists. Tasks open it through /proc/self/fd.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "kernel/device.h"
#include "kinds/fd/regular/internal.h"
#include "util/fds.h"
#include "util/proc_root.h"
#include "util/str.h"

#define OTHER_NAME_TRIES 1000

struct place {
	int dir; /* the directory, O_PATH */
	const struct audience *to; /* for whom we make it */
	const struct opener *as; /* with whose rights: run/names.h */
	int fd; /* what has been made: O_PATH, a file for writing; -1: nothing yet */
	char name[NAME_MAX + 1];
	char path[PATH_MAX];
};

/*
 * The directory at @path, with the rights to make names in it. Those that were removed are made again for as long as we
 * need them; where something else has taken the name of one, the one above it has to do: @path becomes that of the
 * directory that is returned.
 */
static int open_or_make_dir(struct restore *r, const struct audience *to, struct made_array *made, char path[PATH_MAX])
{
	char name[NAME_MAX + 1], above[PATH_MAX];
	_cleanup_close_ int parent = -1, dir = -1;
	int fd = names_open_dir(r, to, path), err;

	if (fd != -ENOENT && fd != -ENOTDIR)
		return fd;
	err = split_path(path, name);
	if (err)
		return err;
	parent = open_or_make_dir(r, to, made, path);
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
	dir = open_made(parent, name, S_IFDIR);
	err = dir < 0 ? dir : note_made(made, to, path, dir);
	if (err)
		unmake(parent, name, true, err);
	return err ? err : steal_fd(&dir);
}

static int place_of(struct restore *r, const struct remap *remap, struct made_array *made, struct place *place)
{
	char dir[PATH_MAX];
	int err = str_format(dir, sizeof(dir), "%s", remap->reg->name);

	place->to = audience_of_file(r, remap->file);
	place->fd = -1;
	if (!err)
		err = split_path(dir, place->name);
	if (err)
		return err;
	_cleanup_close_ int fd = open_or_make_dir(r, place->to, made, dir);
	if (fd < 0)
		return fd;
	err = path_join(place->path, sizeof(place->path), dir, place->name);
	if (err)
		return err;
	place->as = r->process.opened_as;
	place->dir = steal_fd(&fd);
	return 0;
}

/* Try @make under the old name, then under others: "NAME.cr.N.ghost". */
static int make_under_some_name(struct place *place, uint32_t id, int (*make)(struct place *, const void *),
				const void *arg)
{
	size_t dir_len = strrchr(place->path, '/') + 1 - place->path;
	char old[NAME_MAX + 1], suffix[32];
	int err = make(place, arg);

	memcpy(old, place->name, sizeof(old));
	for (unsigned n = 0; err == -EEXIST && n < OTHER_NAME_TRIES; n++) {
		snprintf(suffix, sizeof(suffix), ".cr.%x.ghost", id + n);
		snprintf(place->name, sizeof(place->name), "%.*s%s", (int)(NAME_MAX - strlen(suffix)), old, suffix);
		if (str_format(place->path + dir_len, sizeof(place->path) - dir_len, "%s", place->name))
			return -ENAMETOOLONG;
		err = make(place, arg);
	}
	return err;
}

static int make_node(struct place *place, const void *arg)
{
	const GhostFileEntry *head = arg;
	mode_t type = head->mode & S_IFMT;
	int err;

	switch (type) {
	case S_IFREG:
		place->fd = open_at(place->dir, place->name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
		return place->fd < 0 ? place->fd : 0;
	case S_IFDIR:
		err = mkdirat(place->dir, place->name, 0700);
		break;
	case S_IFLNK:
		err = symlinkat(head->symlnk_target, place->dir, place->name);
		break;
	default:
		err = mknodat(place->dir, place->name, type | 0600, kdev_to_dev(head->rdev));
	}
	if (err < 0)
		return -errno;
	place->fd = open_made(place->dir, place->name, type);
	if (place->fd < 0)
		unmake(place->dir, place->name, type == S_IFDIR, place->fd);
	return place->fd < 0 ? place->fd : 0;
}

static int make_link(struct place *place, const void *arg)
{
	return proc_fd_link(*(const int *)arg, place->dir, place->name);
}

/* The new name of what @of is open on, which the directory's owner may have replaced already. */
static int open_linked(const struct place *place, int of)
{
	_cleanup_close_ int fd = open_at(place->dir, place->name, O_PATH | O_NOFOLLOW, 0);
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

/* Takes @fd over: a place, whatever it was opened for. */
static int hold(struct restore *r, const struct place *place, int fd, struct remap *remap)
{
	int flags = fcntl(fd, F_GETFL);
	_cleanup_close_ int own = fd, again = flags >= 0 && flags & O_PATH ? steal_fd(&own) : reopen_fd(fd, O_PATH);
	int high = again < 0 ? again : move_fd_above(again, r->service_base);

	if (high < 0)
		return fail(high, "hold %s", place->path);
	again = -1;
	remap->fd = high;
	return 0;
}

/* What has been made of one ghost or of one link, by type and id. */
struct inode {
	struct record record;
	struct remap *last;
};

/*
 * The remap that made the same inode before, NULL: none has. Under the same name it is one file; under another one it
 * will be a hard link, so that /proc shows both names again.
 */
static int made_before(struct restore *r, struct record_table *inodes, struct remap *remap, struct remap **ret_before,
		       bool *ret_same_name)
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
 * What never had a name (O_TMPFILE) can still be given one with linkat(2): only a file made in the same way can. The
 * description that makes it is the one that tells so by its flags: it is handed on itself.
 */
static int make_nameless(struct restore *r, const struct place *place, struct remap *remap)
{
	unsigned flags = remap->reg->flags & (O_ACCMODE | O_APPEND | O_NONBLOCK | O_NOATIME | O_DIRECT);
	_cleanup_close_ int fd = open_at(place->dir, ".", O_TMPFILE | flags, 0600), filler = -1;
	int err;

	if (fd < 0)
		return fd;
	filler = reopen_fd(fd, O_WRONLY);
	opener_leave(r);
	err = fill_content(r, remap->ghost, filler, place->path);
	if (!err)
		err = set_attributes(r, remap->ghost->head, fd, place->path);
	if (err)
		return err;
	remap->fd = move_fd_above(fd, r->service_base);
	if (remap->fd < 0)
		return fail(remap->fd, "hold %s", place->path);
	fd = -1;
	remap->is_description = true;
	return 0;
}

/*
 * Something else has the old name @name by now, and ours is another one. Both change places, and the other one is
 * renamed back over ours: the name leads to a file at every moment, and what /proc says of ours is "NAME (deleted)", from
 * which programs find out how to start themselves again. A child does it, so that our own death cannot come between.
 */
static int lose_to_other_file(const struct place *place, const char *name)
{
	volatile int err = 0;
	pid_t pid = vfork();

	if (pid < 0)
		return -errno;
	if (!pid) {
		if (renameat2(place->dir, place->name, place->dir, name, RENAME_EXCHANGE) < 0) {
			err = -errno;
		} else if (renameat(place->dir, place->name, place->dir, name) < 0) {
			err = -errno;
			renameat2(place->dir, place->name, place->dir, name, RENAME_EXCHANGE);
		}
		_exit(0);
	}
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return err;
}

/* Names only: where it cannot be, /proc shows another one. */
static void lose_name(struct restore *r, struct made_array *made, const struct place *place, const struct remap *remap)
{
	const char *name = strrchr(remap->reg->name, '/') + 1;
	struct stat ours, other;

	if (!strcmp(place->name, name) || opener_enter(r, place->as) ||
	    fstatat(place->dir, place->name, &ours, AT_SYMLINK_NOFOLLOW) < 0 ||
	    fstatat(place->dir, name, &other, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(ours.st_mode) ||
	    !S_ISREG(other.st_mode) || (ours.st_dev == other.st_dev && ours.st_ino == other.st_ino))
		return;
	if (lose_to_other_file(place, name)) {
		log_info("%s is taken: /proc shows it as %s", remap->reg->name, place->path);
		return;
	}
	free(made->v[--made->n].path);
}

static int make_named(struct restore *r, struct made_array *made, struct place *place, struct remap *remap,
		      const struct remap *before)
{
	const GhostFileEntry *head = remap->ghost->head;
	int err = make_under_some_name(place, remap->entry->remap_id, before ? make_link : make_node,
				       before ? (const void *)&before->fd : head);

	bool named = !err;
	if (!err && before)
		place->fd = open_linked(place, before->fd);
	if (!err && place->fd < 0)
		err = place->fd;
	_cleanup_close_ int fd = place->fd;
	if (!err)
		err = note_made(made, place->to, place->path, fd);
	if (err && named)
		unmake(place->dir, place->name, S_ISDIR(head->mode), err);
	if (err)
		return fail(err, "%s was unlinked: make it again", remap->reg->name);
	opener_leave(r);
	if (!before && S_ISREG(head->mode))
		err = fill_content(r, remap->ghost, fd, place->path);
	if (!err && !before)
		err = set_attributes(r, head, fd, place->path);
	if (!err)
		err = hold(r, place, steal_fd(&fd), remap);
	if (!err)
		lose_name(r, made, place, remap);
	return err;
}

static int make_ghost(struct restore *r, struct made_array *made, struct remap *remap, const struct remap *before)
{
	bool nameless = S_ISREG(remap->ghost->head->mode) && remap->reg->flags & O_TMPFILE & ~O_DIRECTORY;
	struct place place;
	int err = place_of(r, remap, made, &place);

	if (err)
		return fail(err, "%s was unlinked: find its directory", remap->reg->name);
	_cleanup_close_ int dir = place.dir;
	err = nameless && !before ? make_nameless(r, &place, remap) : -EOPNOTSUPP;
	if (err == -EOPNOTSUPP || err == -EISDIR)
		err = make_named(r, made, &place, remap, before);
	return err;
}

/* That name, if it leads to what is certain to be the file; else what those may open who get it (open_remap). */
static int open_link_remap(struct restore *r, struct remap *remap)
{
	const struct audience *to = audience_of_file(r, remap->file);
	struct name_was was = names_was(remap->to);
	int fd = names_prove(r, to, remap->to->name, O_NOFOLLOW, &was);

	remap->proven = to && fd >= 0;
	if (to && fd == -EACCES)
		fd = names_open(r, to, &(struct name_wanted){ remap->to->name, O_PATH | O_NOFOLLOW, NULL }, 0);
	return fd;
}

/* Under its old name, so that /proc shows it: only names, and where that cannot be, the one from --link-remap is shown. */
static int link_old_name(struct restore *r, struct made_array *made, struct remap *remap, int from, struct place *place)
{
	int err = make_under_some_name(place, remap->record.b, make_link, &from);

	if (err)
		return err;
	_cleanup_close_ int fd = open_linked(place, from);
	err = fd < 0 ? fd : note_made(made, place->to, place->path, fd);
	if (err) {
		unmake(place->dir, place->name, false, err);
		return err;
	}
	err = hold(r, place, steal_fd(&fd), remap);
	if (!err)
		lose_name(r, made, place, remap);
	return err;
}

static int make_linked(struct restore *r, struct made_array *made, struct remap *remap)
{
	_cleanup_close_ int from = open_link_remap(r, remap);
	struct place place;
	int err;

	if (from < 0)
		return fail(from, "open %s, the name that --link-remap gave %s (it can be restored once)",
			    remap->to->name, remap->reg->name);
	err = regular_check_content(r, remap->to, from);
	if (err)
		return err;
	err = remap->same_inode ? 0 : link_name_hold(r, remap, from);
	if (err)
		return fail(err, "open the directory of %s, to remove that name afterwards", remap->to->name);
	err = place_of(r, remap, made, &place);
	if (err)
		return fail(err, "%s was unlinked: find its directory", remap->reg->name);
	_cleanup_close_ int dir = place.dir;
	err = link_old_name(r, made, remap, from, &place);
	/* A file of another user: fs.protected_hardlinks. */
	if (place.as && (err == -EPERM || err == -EACCES))
		err = hold(r, &place, steal_fd(&from), remap);
	return err ? fail(err, "%s: give it its old name", remap->reg->name) : 0;
}

/* The same file, for somebody else. */
static int prove_for(struct restore *r, struct remap *remap)
{
	_cleanup_close_ int fd = open_link_remap(r, remap);

	opener_leave(r);
	return fd < 0 ? fd : 0;
}

static int make_remap(struct restore *r, struct record_table *inodes, struct made_array *made, struct remap *remap)
{
	struct remap *before = NULL;
	bool same_name = false;
	int err = made_before(r, inodes, remap, &before, &same_name);

	if (err)
		return err;
	if (before && (same_name || (remap->ghost && S_ISDIR(remap->ghost->head->mode)))) {
		remap->fd = before->fd;
		return remap->to ? prove_for(r, remap) : 0;
	}
	return remap->ghost ? make_ghost(r, made, remap, before) : make_linked(r, made, remap);
}

/* What was made and removed in a directory has changed its times. */
static int set_dir_times(struct remap *const *remaps, size_t n)
{
	int err = 0;

	for (size_t i = 0; i < n && !err; i++) {
		if (remaps[i]->ghost && S_ISDIR(remaps[i]->ghost->head->mode))
			err = set_times(remaps[i]->ghost->head, remaps[i]->fd, remaps[i]->reg->name);
	}
	return err;
}

/* Directories before what lies in them. */
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
	struct made_array made = { 0 };
	size_t n = 0;
	int err = 0, undone;

	if (!order)
		return fail(-ENOMEM, "unlinked files");
	for (struct record *rec = data->remaps.first; rec; rec = rec->next) {
		struct remap *remap = (struct remap *)rec;

		/* Of a file of another kind, or of one that --inherit-fd hands over. */
		if (remap->reg && !remap->of_gone)
			order[n++] = remap;
	}
	qsort(order, n, sizeof(*order), by_depth);
	for (size_t i = 0; !err && i < n; i++)
		err = make_remap(r, &inodes, &made, order[i]);
	undone = take_names_away(r, &made);
	if (!err)
		err = undone;
	return err ? err : set_dir_times(order, n);
}
