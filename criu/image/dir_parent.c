// SPDX-License-Identifier: GPL-2.0-only
/* The symbolic link `parent` of an incremental dump to the directory of the previous one. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "image/dir_store.h"

enum { PARENTS_MAX = 1024 };

/* Does the chain from @dir to its most recent child contain @parent, or is it too long? */
static int check_chain(struct dir_store *dir, const struct dir_store *parent)
{
	struct stat st, there;
	int links = 1;

	if (fstat(parent->fd, &there))
		return dir_fail(dir, -errno, "stat the directory of link `parent`: %s", strerror(errno));
	for (const struct dir_store *d = dir; d; d = d->child, links++) {
		if (links > PARENTS_MAX)
			return dir_fail(dir, -ELOOP, "more than %d `parent` links", links);
		if (fstat(d->fd, &st))
			return dir_fail(dir, -errno, "stat the directory: %s", strerror(errno));
		if (st.st_dev == there.st_dev && st.st_ino == there.st_ino)
			return dir_fail(dir, -ELOOP, "the chain of %d `parent` links is a loop", links);
	}
	return 0;
}

static int open_parent(struct dir_store *dir, struct dir_store **ret_parent)
{
	struct dir_store *parent;
	int err = dir_new(dir->fd, "parent", dir->store.ops, &parent);

	if (err == -ENOENT && dir_exists(dir, "parent"))
		return dir_fail(dir, -ENOTDIR, "the link `parent` is dangling");
	if (err)
		return dir_fail(dir, err, "open the directory of link `parent`: %s", strerror(-err));
	err = dir->read_locked ? dir_lock_for_reading(&parent->store) : 0;
	if (err)
		dir_fail(dir, err, "link `parent`: %s", image_store_error(&parent->store));
	else
		err = check_chain(dir, parent);
	if (err) {
		dir_free(&parent->store);
		return err;
	}
	*ret_parent = parent;
	return 0;
}

int dir_parent(struct image_store *store, struct image_store **ret_parent)
{
	struct dir_store *dir = dir_of(store);
	int err;

	if (dir->distrusted)
		return dir_fail(dir, -EPERM, "`parent` links are not followed with --untrusted-images");
	if (!dir->parent) {
		err = open_parent(dir, &dir->parent);
		if (err)
			return err;
		dir->parent->child = dir;
	}
	*ret_parent = &dir->parent->store;
	return 0;
}

static bool same_directory(int at, const char *a, const char *b)
{
	struct stat x, y;

	return !fstatat(at, a, &x, 0) && !fstatat(at, b, &y, 0) && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

/* A link that leads there already is kept, whatever its text. */
static int make_link(struct dir_store *dir, const char *path)
{
	char text[256] = "";

	if (!symlinkat(path, dir->fd, "parent")) {
		dir->made_parent = true;
		return 0;
	}
	if (errno != EEXIST)
		return dir_fail(dir, -errno, "create the link `parent`: %s", strerror(errno));
	if (same_directory(dir->fd, "parent", path))
		return 0;
	if (readlinkat(dir->fd, "parent", text, sizeof(text) - 1) < 0)
		return dir_fail(dir, -EEXIST, "`parent` exists, and is not a link: remove it");
	return dir_fail(dir, -EEXIST, "the link `parent` exists, and leads to %s: remove it", text);
}

int dir_set_parent(struct image_store *store, const char *path)
{
	struct dir_store *dir = dir_of(store);
	struct stat st;

	if (fstatat(dir->fd, path, &st, 0))
		return dir_fail(dir, -errno, "the previous images directory %s (relative to the images directory): %s",
				path, strerror(errno));
	if (!S_ISDIR(st.st_mode))
		return dir_fail(dir, -ENOTDIR, "the previous images directory %s is not a directory", path);
	if (same_directory(dir->fd, path, "."))
		return dir_fail(dir, -ELOOP, "the previous images directory %s is the images directory itself", path);
	return make_link(dir, path);
}
