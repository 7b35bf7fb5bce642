/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A directory of images, and writing into it as one transaction. A directory without inventory.img holds no dump: the
 * inventory is always written under a temporary name and takes its own by rename, last. Where an older dump lies,
 * every other image too waits under a temporary name until the commit, so that a failed dump leaves the older one as
 * it was. Files of an older dump that the new one does not write are left alone. What a killed dumper left behind is
 * overwritten or swept by the next one. Nothing is synced to the disk: the promise is about processes that die, not
 * about machines.
 *
 * Every function gives 0 (or what it says) or a negative errno; image_dir_error() says why in words.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "image/catalog.h"
#include "image/error.h"

struct image_dir;

/* The object is the caller's, to be closed with image_dir_close(). Opening by path fails with no object to ask why. */
int image_dir_open(const char *path, struct image_dir **ret_dir);
/* By a descriptor of it, which stays the caller's. */
int image_dir_open_fd(int fd, struct image_dir **ret_dir);
/* An empty one in memory that no path leads to, gone with its last descriptor. fsmount(2); -EPERM without the right. */
int image_dir_open_scratch(struct image_dir **ret_dir);
/*
 * Only regular files of @owner's or root's are opened in it from now on, no links; all but pages are copied, each once, so
 * that nobody can change them any more. -EACCES: the directory is somebody else's.
 */
int image_dir_distrust(struct image_dir *dir, uid_t owner);
/* For image_open(): the copy of an image, which lives as long as @dir. -EOPNOTSUPP: @dir is trusted. */
int image_dir_copy(struct image_dir *dir, enum image_type type, uint64_t id, const uint8_t **ret_buf, size_t *ret_len);
/* An open transaction of this process is aborted. The pages of a pagemap stay readable. NULL is fine. */
void image_dir_close(struct image_dir *dir);

/* The directory keeps its descriptors (its parents', too) at or above @min from now on. */
int image_dir_move_fd(struct image_dir *dir, int min);
/* Descriptor of the directory, borrowed. */
int image_dir_fd(const struct image_dir *dir);
const char *image_dir_error(const struct image_dir *dir);
/* Is there an inventory? */
bool image_dir_is_dump(const struct image_dir *dir);
/*
 * The directory behind the link `parent`, borrowed: it is closed with `dir`. -ENOENT without one, -ELOOP when the
 * chain of parents comes back to itself or has more than 1024 links.
 */
int image_dir_parent(struct image_dir *dir, struct image_dir **ret_parent);

/*
 * Two do not write at a time, and nobody writes what is being read: flock(2) on the directory. For reading, until
 * image_dir_unlock() or the last descriptor of it is closed; a transaction locks by itself, from its beginning to its end.
 * -EBUSY: somebody else has it.
 */
int image_dir_lock_for_reading(struct image_dir *dir);
void image_dir_unlock(struct image_dir *dir);

/* From here on images may be created; -EBUSY when a transaction is open already, or the directory is locked. */
int image_dir_begin(struct image_dir *dir);
/* The same for what is no part of a dump (statistics): others may be reading the dump there. */
int image_dir_begin_beside(struct image_dir *dir);
/*
 * From here on images of up to 64K are made in memory, as long as those are not too much together; image_dir_publish()
 * or image_dir_commit() writes them. Making a file takes longer than filling it, and somebody may be waiting meanwhile.
 */
void image_dir_hold(struct image_dir *dir);
/*
 * Everything that was written takes its name, the inventory last. -EBUSY while a writer is open; the first error of a
 * writer, when one failed. After a failed commit the directory is as before it and the transaction still open: abort
 * it. (A page server's transaction has no inventory: that is no error.)
 */
int image_dir_commit(struct image_dir *dir);
/* The same, but the transaction stays open: everybody sees the new images, and until the commit an abort still brings
 * the older ones back. */
int image_dir_publish(struct image_dir *dir);
/* Everything that was written is taken away again. Harmless without a transaction. */
void image_dir_abort(struct image_dir *dir);

/* Number of the next pages image of this transaction, from 1. */
uint32_t image_dir_next_pages_id(struct image_dir *dir);

/*
 * A new, empty file of the transaction, open for reading and writing; an older one of this name is unlinked first,
 * never truncated. For raw images (the caller writes them); those with records are made by image_create().
 */
int image_dir_create_file(struct image_dir *dir, enum image_type type, uint64_t id, int *ret_fd);
/* An existing image, for reading. Only regular files. -ENOENT when it is not there. */
int image_dir_open_file(struct image_dir *dir, enum image_type type, uint64_t id, int *ret_fd);

/* For this room alone: note an error in the directory; note that a writer came or went (`error` 0 when all is well). */
int image_dir_fail(struct image_dir *dir, int error, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void image_dir_writer_opened(struct image_dir *dir);
void image_dir_writer_closed(struct image_dir *dir, int error);
bool image_dir_holds(const struct image_dir *dir);
/* Hold an image of these bytes. */
int image_dir_keep(struct image_dir *dir, enum image_type type, uint64_t id, const void *data, size_t len);

static inline void cleanup_image_dir(struct image_dir **dir)
{
	image_dir_close(*dir);
}
#define _cleanup_image_dir_ __attribute__((cleanup(cleanup_image_dir)))
