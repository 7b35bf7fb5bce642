// SPDX-License-Identifier: GPL-2.0-only
/* Names and inodes created by a restore: noted when they are created, given their attributes, and removed again. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "kinds/fd/regular/internal.h"
#include "util/fds.h"
#include "util/proc_root.h"
#include "util/str.h"

int note_created(struct created_array *created, const struct audience *to, int mnt_id, const char *path, int fd)
{
	struct created *m = array_push(created);
	struct stat st;

	if (!m)
		return -ENOMEM;
	*m = (struct created){ .to = to, .mnt_id = mnt_id, .path = strdup(path) };
	if (!m->path || fstat(fd, &st) < 0)
		return -ENOMEM;
	m->dev = st.st_dev;
	m->ino = st.st_ino;
	m->dir = S_ISDIR(st.st_mode);
	return 0;
}

int split_path(char *path, char ret_name[NAME_MAX + 1])
{
	char *slash = strrchr(path, '/');
	int err = str_format(ret_name, NAME_MAX + 1, "%s", slash + 1);

	if (err || !slash[1] || !strcmp(slash + 1, ".") || !strcmp(slash + 1, ".."))
		return err ? err : -EINVAL;
	slash[slash == path] = 0;
	return 0;
}

int open_created(int dir, const char *name, mode_t type)
{
	_cleanup_close_ int fd = open_at(dir, name, O_PATH | O_NOFOLLOW, 0);
	struct stat st;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	return (st.st_mode & S_IFMT) == type && st.st_uid == opener_uid() ? steal_fd(&fd) : -EAGAIN;
}

void remove_unnoted(int dir, const char *name, bool is_dir, int err)
{
	if (err != -EAGAIN)
		unlinkat(dir, name, is_dir ? AT_REMOVEDIR : 0);
}

/* Always by descriptor: the name may lead elsewhere by now. */
int set_times(const GhostFileEntry *head, int fd, const char *name)
{
	const Timeval *t[2] = { head->atim, head->mtim };
	struct timespec times[2];
	char path[PROC_FD_NAME_MAX];

	for (int i = 0; i < 2; i++) {
		times[i].tv_sec = t[i] ? (time_t)t[i]->tv_sec : 0;
		times[i].tv_nsec = !t[i] ? UTIME_OMIT : t[i]->tv_usec < 1000000 ? (long)t[i]->tv_usec * 1000 : 0;
	}
	proc_fd_name(path, fd);
	/* A symbolic link cannot be accessed through its descriptor in /proc. */
	if (S_ISLNK(head->mode) ? utimensat(fd, "", times, AT_EMPTY_PATH) : utimensat(proc_root(), path, times, 0))
		return fail(-errno, "%s: set its times", name);
	return 0;
}

int set_attributes(struct restore *r, const GhostFileEntry *head, int fd, const char *name)
{
	char path[PROC_FD_NAME_MAX];

	opener_leave(r);
	if (fchownat(fd, "", head->uid, head->gid, AT_EMPTY_PATH) < 0)
		return fail(-errno, "%s: change its owner to %u:%u", name, head->uid, head->gid);
	proc_fd_name(path, fd);
	if (!S_ISLNK(head->mode) && fchmodat(proc_root(), path, head->mode & 07777, 0) < 0)
		return fail(-errno, "%s: set its mode", name);
	return set_times(head, fd, name);
}

/* 1, 0, or -errno if that cannot be determined. */
static int leads_to(int dir, const char *name, const struct created *m)
{
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	return st.st_dev == m->dev && st.st_ino == m->ino;
}

/* In a sticky directory a file that no longer belongs to them is ours to remove: no other user can move it there. */
static int remove_from(struct restore *r, int dir, const char *name, const struct created *m)
{
	int flags = m->dir ? AT_REMOVEDIR : 0;
	struct stat st;

	if (!unlinkat(dir, name, flags))
		return 0;
	if (errno != EPERM || fstat(dir, &st) < 0 || !(st.st_mode & S_ISVTX))
		return -errno;
	opener_leave(r);
	return leads_to(dir, name, m) <= 0 ? -EPERM : unlinkat(dir, name, flags) < 0 ? -errno : 0;
}

static int remove_name(struct restore *r, const struct created *m, const char *path, const char *name)
{
	_cleanup_close_ int dir = names_open_dir(r, m->to, m->mnt_id, path);
	int ours = dir < 0 ? dir : leads_to(dir, name, m);

	if (ours < 0)
		return ours;
	if (!ours) {
		log_warn("%s/%s was created temporarily, and another process has moved it", path, name);
		return 0;
	}
	return remove_from(r, dir, name, m);
}

int remove_names(struct restore *r, struct created_array *created)
{
	int first = 0;

	for (size_t i = created->n; i-- > 0;) {
		char *path = created->v[i].path, name[NAME_MAX + 1];
		int err = path ? split_path(path, name) : 0;

		if (!path)
			continue;
		/* Tried twice: a temporary shortage of memory or descriptors must not leave it behind. */
		for (int tries = 0; tries < 2 && (!tries || err); tries++)
			err = remove_name(r, &created->v[i], path, name);
		if (err && !first)
			first = fail(err, "remove %s/%s again", path, name);
		free(path);
	}
	array_free(created);
	opener_leave(r);
	return first;
}

int link_name_prepare(struct restore *r, struct remap *remap, int fd)
{
	struct link_name *link = &remap->link;
	char path[PATH_MAX], name[NAME_MAX + 1];
	struct stat st;
	int err = str_format(path, sizeof(path), "%s", remap->to->name);

	if (!err)
		err = split_path(path, name);
	if (err || fstat(fd, &st) < 0)
		return err ? err : -errno;
	link->dev = st.st_dev;
	link->ino = st.st_ino;
	link->dir = names_open_dir(r, audience_of_file(r, remap->file), remap->to->mnt_id, path);
	link->as = r->process.opened_as;
	/* The user may read the file, but not remove its name: reported when the tree is complete. */
	if (link->dir == -EACCES || link->dir == -EPERM)
		return 0;
	if (link->dir >= 0)
		link->dir = move_fd_above(link->dir, r->service_base);
	return link->dir < 0 ? link->dir : 0;
}

static int remove_link_name(struct restore *r, const struct remap *remap)
{
	const struct link_name *link = &remap->link;
	const struct created file = { .dev = link->dev, .ino = link->ino };
	const char *name = strrchr(remap->to->name, '/') + 1;
	int err = link->dir < 0 ? link->dir : opener_enter(r, link->as);

	if (!err)
		err = leads_to(link->dir, name, &file);
	if (err > 0)
		err = remove_from(r, link->dir, name, &file);
	return err == -ENOENT ? 0 : err;
}

static void report_removed(const char *first, size_t n)
{
	if (n == 1)
		log_notice("the temporary name of %s (--link-remap) has been removed: these images cannot be restored "
			   "again",
			   first);
	else if (n)
		log_notice(
			"the temporary names of %s and %zu other files (--link-remap) have been removed: these images "
			"cannot be restored again",
			first, n - 1);
}

void remaps_committed(struct restore *r)
{
	struct regular_restore *data = *restore_kind_data(r, &regular_kind);
	const char *first = NULL;
	size_t n = 0;

	for (struct record *rec = data ? data->remaps.first : NULL; rec; rec = rec->next) {
		const struct remap *remap = (struct remap *)rec;
		int err = 0;

		/* Once per file, however many descriptions it has. */
		if (!remap->to || !remap->reg || remap->same_inode)
			continue;
		if (!n++)
			first = remap->reg->name;
		/* Tried twice, as in remove_names. */
		for (int tries = 0; tries < 2 && (!tries || err); tries++)
			err = remove_link_name(r, remap);
		if (err < 0)
			log_warn("temporary name %s could not be removed: %s", remap->to->name, strerror(-err));
	}
	opener_leave(r);
	report_removed(first, n);
}
