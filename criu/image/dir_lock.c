// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <string.h>
#include <sys/file.h>

#include "image/dir_store.h"

/* The lock belongs to our open file description of the directory: forked children hold it, too. */
int dir_lock(struct dir_store *dir, int how)
{
	int err = flock(dir->fd, how | LOCK_NB) ? -errno : 0;

	if (!err) {
		dir->locked = true;
		return 0;
	}
	if (err != -EWOULDBLOCK)
		return dir_fail(dir, err, "lock the directory: %s", strerror(-err));
	if (how == LOCK_SH)
		return dir_fail(dir, -EBUSY, "another dump is writing to the images directory (flock)");
	/* Shared with other readers. */
	if (flock(dir->fd, LOCK_SH | LOCK_NB))
		return dir_fail(dir, -EBUSY, "another dump is writing to the images directory (flock)");
	flock(dir->fd, LOCK_UN);
	return dir_fail(dir, -EBUSY, "a restore is reading the images directory (flock)");
}

int dir_lock_for_reading(struct image_store *store)
{
	int err = dir_lock(dir_of(store), LOCK_SH);

	dir_of(store)->read_locked = !err;
	return err;
}

void dir_unlock(struct image_store *store)
{
	for (struct dir_store *dir = dir_of(store); dir; dir = dir->parent)
		if (dir->locked) {
			flock(dir->fd, LOCK_UN);
			dir->locked = dir->read_locked = false;
		}
}
