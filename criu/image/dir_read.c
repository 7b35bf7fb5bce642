// SPDX-License-Identifier: GPL-2.0-only
/* Opening images of the directory, and copying them if another user could change them. */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "image/dir_store.h"
#include "util/fds.h"

enum { COPIED_MAX = 1 << 30 };

bool dir_exists(const struct dir_store *dir, const char *name)
{
	struct stat st;

	return !fstatat(dir->fd, name, &st, AT_SYMLINK_NOFOLLOW);
}

bool dir_has(struct image_store *store, enum image_type type, uint64_t id)
{
	char name[IMAGE_NAME_MAX];

	return !image_name(type, id, name) && dir_exists(dir_of(store), name);
}

/* O_NONBLOCK: do not block on a FIFO. */
static int open_name(const struct dir_store *dir, const char *name)
{
	struct open_how how = { .flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY };
	int fd;

	if (dir->distrusted)
		how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV;
	fd = dir->distrusted ? (int)syscall(SYS_openat2, dir->fd, name, &how, sizeof(how)) :
			       openat(dir->fd, name, (int)how.flags);
	if (fd < 0 && errno == EACCES && dir->open_elsewhere)
		return dir->open_elsewhere(dir->elsewhere, dir->fd, name);
	return fd < 0 ? -errno : fd;
}

/* One fstat(2) gives both type and size. */
static int open_file(struct dir_store *dir, enum image_type type, uint64_t id, struct image_extent *ret_extent)
{
	_cleanup_close_ int fd = -1;
	char name[IMAGE_NAME_MAX];
	struct stat st;
	int err;

	image_name(type, id, name);
	fd = open_name(dir, name);
	err = fd < 0 ? fd : fstat(fd, &st) ? -errno : 0;
	if (dir->read_locked && (!err || err == -ENOENT)) {
		int changed = seen_check(&dir->seen, type, id, err ? NULL : &st);

		if (changed)
			return dir_fail(dir, changed == -ESTALE ? -EBADMSG : changed,
					"%s has changed since it was first read", name);
	}
	if (err)
		return dir_fail(dir, err, "open %s: %s", name, strerror(-err));
	if (!S_ISREG(st.st_mode))
		return dir_fail(dir, -EBADMSG, "%s is not a regular file", name);
	if (dir->distrusted && st.st_uid != dir->owner && st.st_uid != 0)
		return dir_fail(dir, -EACCES, "%s is owned by user %u, neither by root nor by user %u", name, st.st_uid,
				dir->owner);
	*ret_extent = (struct image_extent){ .fd = steal_fd(&fd), .len = st.st_size };
	return 0;
}

static int read_copy(struct image_bytes *copy, const struct image_extent *file)
{
	ssize_t got;

	copy->data = malloc(file->len ? file->len : 1);
	if (!copy->data)
		return -ENOMEM;
	got = pread_full(file->fd, copy->data, file->len, 0);
	if (got < 0)
		return (int)got;
	copy->len = copy->cap = (size_t)got;
	return 0;
}

static int make_copy(struct dir_store *dir, const struct image_extent *file, struct image_bytes *copy)
{
	int err;

	if (file->len > COPIED_MAX - dir->copies.len)
		return dir_fail(dir, -EFBIG, "the images without pages have more than %d MB", COPIED_MAX >> 20);
	err = copy ? read_copy(copy, file) : -ENOMEM;
	if (!err)
		err = image_set_add(&dir->copies, copy);
	return err ? dir_fail(dir, err, "copy an image: %s", strerror(-err)) : 0;
}

static int copy_once(struct dir_store *dir, enum image_type type, uint64_t id, struct image_bytes **ret_copy)
{
	struct image_bytes *copy = image_set_find(&dir->copies, type, id);
	struct image_extent file;
	int err = copy ? 0 : open_file(dir, type, id, &file);

	if (!copy && !err) {
		copy = image_bytes_new(type, id);
		err = make_copy(dir, &file, copy);
		cleanup_close(&file.fd);
		if (err)
			image_bytes_free(copy);
	}
	if (err)
		return err;
	*ret_copy = copy;
	return 0;
}

int dir_open(struct image_store *store, enum image_type type, uint64_t id, struct image_extent *ret_extent)
{
	struct dir_store *dir = dir_of(store);
	struct image_bytes *copy;
	int err;

	if (!dir->distrusted || type == IMAGE_PAGES)
		return open_file(dir, type, id, ret_extent);
	err = copy_once(dir, type, id, &copy);
	if (err)
		return err;
	*ret_extent = (struct image_extent){ .fd = -1, .bytes = copy->data, .len = copy->len };
	return 0;
}
