// SPDX-License-Identifier: GPL-2.0-only
/* The operations of the store in a directory. */
#include "image/dir.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>

#include "image/dir_store.h"

static int dir_begin(struct image_store *store, bool beside)
{
	struct dir_store *dir = dir_of(store);
	int err = dir_lock(dir, beside ? LOCK_SH : LOCK_EX);

	if (err)
		return err;
	if (beside)
		dir->replaces = dir_exists(dir, INVENTORY_NAME);
	else
		err = dir_sweep(dir, &dir->replaces);
	if (err) {
		dir_unlock(store);
		return err;
	}
	dir->nr_files = 0;
	dir->beside = beside;
	dir->holds = dir->part = false;
	dir->run = (struct uuid){ 0 };
	image_set_clear(&dir->held);
	return 0;
}

static void dir_hold(struct image_store *store)
{
	dir_of(store)->holds = true;
}

static void dir_part(struct image_store *store)
{
	dir_of(store)->replaces = dir_of(store)->part = true;
}

static void dir_set_run(struct image_store *store, const struct uuid *run)
{
	dir_of(store)->run = *run;
}

int image_dir_distrust(struct image_store *store, uid_t owner)
{
	struct dir_store *dir = dir_of(store);
	struct stat st;

	if (fstat(dir->fd, &st))
		return dir_fail(dir, -errno, "stat the images directory: %s", strerror(errno));
	if (st.st_uid != owner && st.st_uid != 0)
		return dir_fail(dir, -EACCES,
				"the images directory is owned by user %u, neither by root nor by user %u", st.st_uid,
				owner);
	dir->distrusted = true;
	dir->owner = owner;
	return 0;
}

static const struct image_store_ops dir_ops = {
	.open = dir_open,
	.has = dir_has,
	.for_each = dir_for_each,
	.use_checksums = dir_use_sums,
	.has_checksum = dir_has_sum,
	.verify = dir_verify,
	.verify_all = dir_verify_all,
	.mark_freed = dir_mark_freed,
	.is_freed = dir_is_freed,
	.is_freed_for_others = dir_is_freed_for_others,
	.parent = dir_parent,
	.set_parent = dir_set_parent,
	.lock_for_reading = dir_lock_for_reading,
	.unlock = dir_unlock,
	.move_fds = dir_move_fds,
	.begin = dir_begin,
	.hold = dir_hold,
	.part = dir_part,
	.set_run = dir_set_run,
	.create = dir_create,
	.append = dir_append,
	.finish = dir_finish,
	.discard = dir_discard,
	.drop = dir_drop,
	.publish = dir_publish,
	.commit = dir_commit,
	.abort = dir_abort,
	.free = dir_free,
};

static int open_at(int at, const char *path, struct image_store **ret_store)
{
	struct dir_store *dir;
	int err = dir_new(at, path, &dir_ops, &dir);

	if (err)
		return err;
	*ret_store = &dir->store;
	return 0;
}

int image_dir_open(const char *path, struct image_store **ret_store)
{
	return open_at(AT_FDCWD, path, ret_store);
}

int image_dir_open_fd(int fd, struct image_store **ret_store)
{
	return open_at(fd, ".", ret_store);
}

int image_dir_open_elsewhere(struct image_store *store, int (*open)(void *arg, int dir, const char *name), void *arg)
{
	struct dir_store *dir = store->ops == &dir_ops ? dir_of(store) : NULL;
	struct image_store *parent = NULL;
	int err = 0;

	for (; !err && dir; dir = parent ? dir_of(parent) : NULL) {
		dir->open_elsewhere = open;
		dir->elsewhere = arg;
		parent = NULL;
		if (dir_exists(dir, "parent"))
			err = dir_parent(&dir->store, &parent);
		if (err)
			return dir_fail(dir_of(store), err, "%s", image_store_error(&dir->store));
	}
	return 0;
}

bool image_dir_has_fd(struct image_store *store, int fd)
{
	for (const struct dir_store *dir = store->ops == &dir_ops ? dir_of(store) : NULL; dir; dir = dir->parent)
		if (dir->fd == fd)
			return true;
	return false;
}
