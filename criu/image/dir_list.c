// SPDX-License-Identifier: GPL-2.0-only
/* All images of a directory. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "image/dir_store.h"

int dir_for_each(struct image_store *store,
		 int (*fn)(struct image_store *store, enum image_type type, uint64_t id, void *arg), void *arg)
{
	struct dir_store *dir = dir_of(store);
	int fd = openat(dir->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), err = 0;
	_cleanup_closedir_ DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	enum image_type type;
	uint64_t id;

	if (!d) {
		err = -errno;
		cleanup_close(&fd);
		return dir_fail(dir, err, "read the directory: %s", strerror(-err));
	}
	while (!err && (entry = readdir(d)))
		if (!image_parse_name(entry->d_name, &type, &id))
			err = fn(store, type, id, arg);
	return err;
}
