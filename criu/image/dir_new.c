// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "image/dir_store.h"

/* A private open file description, so that its lock and position are not shared. */
int dir_new(int at, const char *path, const struct image_store_ops *ops, struct dir_store **ret_dir)
{
	_cleanup_close_ int fd = openat(at, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dir_store *dir;

	if (fd < 0)
		return -errno;
	dir = calloc(1, sizeof(*dir));
	if (!dir)
		return -ENOMEM;
	dir->store.ops = ops;
	dir->fd = steal_fd(&fd);
	*ret_dir = dir;
	return 0;
}

void dir_free(struct image_store *store)
{
	struct dir_store *dir = dir_of(store);

	while (dir) {
		struct dir_store *parent = dir->parent;

		image_set_clear(&dir->held);
		image_set_clear(&dir->copies);
		checksums_free(&dir->sums);
		close(dir->fd);
		seen_free(&dir->seen);
		free(dir->files);
		free(dir);
		dir = parent;
	}
}

int dir_move_fds(struct image_store *store, int min)
{
	for (struct dir_store *dir = dir_of(store); dir; dir = dir->parent) {
		int fd = fcntl(dir->fd, F_DUPFD_CLOEXEC, min);

		if (fd < 0)
			return -errno;
		close(dir->fd);
		dir->fd = fd;
	}
	return 0;
}
