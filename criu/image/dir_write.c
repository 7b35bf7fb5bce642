// SPDX-License-Identifier: GPL-2.0-only
/* The files of a transaction. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "image/dir_store.h"
#include "util/crc32c.h"
#include "util/fds.h"

enum { HELD_MAX = 64 << 20 };

struct dir_file *dir_find_file(struct dir_store *dir, const char *name)
{
	for (size_t i = 0; i < dir->nr_files; i++)
		if (!strcmp(dir->files[i].name, name))
			return &dir->files[i];
	return NULL;
}

/* A slot for one more file, in use once nr_files is incremented; NULL if out of memory. */
static struct dir_file *next_file(struct dir_store *dir)
{
	if (dir->nr_files == dir->cap_files) {
		size_t cap = dir->cap_files ? 2 * dir->cap_files : 32;
		struct dir_file *grown = reallocarray(dir->files, cap, sizeof(*grown));

		if (!grown)
			return NULL;
		dir->files = grown;
		dir->cap_files = cap;
	}
	return &dir->files[dir->nr_files];
}

/* `path` is the name of image `name` until the commit. An older file is unlinked, never truncated. */
static int create_exclusive(struct dir_store *dir, const char *name, const char *path)
{
	int flags = O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW;
	int fd = openat(dir->fd, path, flags, 0600);

	if (fd < 0 && errno == EEXIST && dir_find_file(dir, name))
		return -EEXIST; /* written in this transaction */
	if (fd < 0 && errno == EEXIST && !unlinkat(dir->fd, path, 0))
		fd = openat(dir->fd, path, flags, 0600);
	return fd < 0 ? -errno : fd;
}

/* Returns a descriptor or a negative errno. */
static int create_file(struct dir_store *dir, enum image_type type, uint64_t id)
{
	char name[IMAGE_NAME_MAX], temp[TEMP_NAME_MAX];
	struct dir_file *file = next_file(dir);
	int fd;

	image_name(type, id, name);
	if (!file)
		return dir_fail(dir, -ENOMEM, "%s: out of memory", name);
	*file = (struct dir_file){ .under_temp = dir->replaces || type == IMAGE_INVENTORY };
	memcpy(file->name, name, sizeof(name));
	snprintf(temp, sizeof(temp), "%s%s", name, SUFFIX_NEW);
	fd = create_exclusive(dir, name, file->under_temp ? temp : name);
	if (fd < 0)
		return dir_fail(dir, fd, "create %s: %s", name, strerror(-fd));
	dir->nr_files++;
	return fd;
}

int dir_create(struct image_store *store, enum image_type type, uint64_t id, struct image_extent *ret_extent)
{
	int fd = create_file(dir_of(store), type, id);

	if (fd < 0)
		return fd;
	*ret_extent = (struct image_extent){ .fd = fd };
	return 0;
}

int dir_append(struct image_store *store, struct image_out *out, const void *buf, size_t len)
{
	int err;

	if (out->fd < 0)
		out->fd = create_file(dir_of(store), out->type, out->id);
	if (out->fd < 0)
		return out->fd;
	err = write_full(out->fd, buf, len);
	/* Pages have checksums of their own, in their page map. */
	if (out->type != IMAGE_PAGES)
		out->crc = crc32c(out->crc, buf, len);
	out->size += len;
	return err ? image_store_fail(store, err, "write %s: %s", out->name, strerror(-err)) : 0;
}

void dir_discard(struct image_store *store, struct image_out *out)
{
	cleanup_close(&out->fd);
	out->fd = -1;
}

static int hold_image(struct dir_store *dir, const struct image_out *out, const void *buf, size_t len)
{
	struct image_bytes *image = image_bytes_new(out->type, out->id);
	int err = image ? image_bytes_append(image, buf, len) : -ENOMEM;

	if (!err)
		err = image_set_add(&dir->held, image);
	if (!err)
		return 0;
	image_bytes_free(image);
	return dir_fail(dir, err, "create %s: %s", out->name, strerror(-err));
}

/* The checksum of what was written is known, unless it was created to be written at any offset. */
static void note_sum(struct dir_store *dir, const struct image_out *out)
{
	/* Usually it is the last one. */
	struct dir_file *file = &dir->files[dir->nr_files - 1];

	if (strcmp(file->name, out->name))
		file = dir_find_file(dir, out->name);
	file->summed = true;
	file->size = out->size;
	file->crc = out->crc;
}

static int write_and_close(struct image_store *store, struct image_out *out, const void *buf, size_t len)
{
	int err = dir_append(store, out, buf, len);

	/* Some file systems report errors of earlier writes only here. */
	if (out->fd >= 0 && close(steal_fd(&out->fd)) && !err && errno != EINTR)
		err = image_store_fail(store, -errno, "close %s: %s", out->name, strerror(errno));
	if (!err && out->type != IMAGE_PAGES)
		note_sum(dir_of(store), out);
	return err;
}

int dir_finish(struct image_store *store, struct image_out *out, const void *buf, size_t len)
{
	struct dir_store *dir = dir_of(store);

	if (out->fd < 0 && dir->holds && dir->held.len < HELD_MAX)
		return hold_image(dir, out, buf, len);
	return write_and_close(store, out, buf, len);
}

int dir_write_held(struct dir_store *dir)
{
	int err = 0;

	for (const struct image_bytes *image = dir->held.first; !err && image; image = image->next) {
		struct image_out out = { .type = image->type, .id = image->id, .fd = -1 };

		image_name(image->type, image->id, out.name);
		err = write_and_close(&dir->store, &out, image->data, image->len);
	}
	if (!err)
		image_set_clear(&dir->held);
	return err;
}
