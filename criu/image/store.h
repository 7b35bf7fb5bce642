/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A directory of images, and writing into it as one transaction. A directory without inventory.img holds no dump: the
 * inventory is always written under a temporary name and takes its own by rename, last. Where an older dump lies,
 * every other image too waits under a temporary name until the commit, so that a failed dump leaves the older one as
 * it was. Files of an older dump that the new one does not write are left alone. What a killed dumper left behind is
 * overwritten or swept by the next one. Nothing is synced to the disk: the promise is about processes that die, not
 * about machines.
 *
 * Every function gives 0 (or what it says) or a negative errno; image_store_error() says why in words.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "image/catalog.h"
#include "image/error.h"

struct image_store;

/* For image_open(): the copy of an image, which lives as long as @dir. -EOPNOTSUPP: @dir is trusted. */
int image_store_copy(struct image_store *dir, enum image_type type, uint64_t id, const uint8_t **ret_buf, size_t *ret_len);
/* An open transaction of this process is aborted. The pages of a pagemap stay readable. NULL is fine. */
void image_store_close(struct image_store *dir);

/* The directory keeps its descriptors (its parents', too) at or above @min from now on. */
int image_store_move_fd(struct image_store *dir, int min);
/* Descriptor of the directory, borrowed. */
int image_store_fd(const struct image_store *dir);
const char *image_store_error(const struct image_store *dir);
/* Is there an inventory? */
bool image_store_is_dump(const struct image_store *dir);
/*
 * The directory behind the link `parent`, borrowed: it is closed with `dir`. -ENOENT without one, -ELOOP when the
 * chain of parents comes back to itself or has more than 1024 links.
 */
int image_store_parent(struct image_store *dir, struct image_store **ret_parent);

/*
 * Two do not write at a time, and nobody writes what is being read: flock(2) on the directory. For reading, until
 * image_store_unlock() or the last descriptor of it is closed; a transaction locks by itself, from its beginning to its end.
 * -EBUSY: somebody else has it.
 */
int image_store_lock_for_reading(struct image_store *dir);
void image_store_unlock(struct image_store *dir);

/* From here on images may be created; -EBUSY when a transaction is open already, or the directory is locked. */
int image_store_begin(struct image_store *dir);
/* The same for what is no part of a dump (statistics): others may be reading the dump there. */
int image_store_begin_beside(struct image_store *dir);
/*
 * From here on images of up to 64K are made in memory, as long as those are not too much together; image_store_publish()
 * or image_store_commit() writes them. Making a file takes longer than filling it, and somebody may be waiting meanwhile.
 */
void image_store_hold(struct image_store *dir);
/*
 * Everything that was written takes its name, the inventory last. -EBUSY while a writer is open; the first error of a
 * writer, when one failed. After a failed commit the directory is as before it and the transaction still open: abort
 * it. (A page server's transaction has no inventory: that is no error.)
 */
int image_store_commit(struct image_store *dir);
/* The same, but the transaction stays open: everybody sees the new images, and until the commit an abort still brings
 * the older ones back. */
int image_store_publish(struct image_store *dir);
/* Everything that was written is taken away again. Harmless without a transaction. */
void image_store_abort(struct image_store *dir);

/* Number of the next pages image of this transaction, from 1. */
uint32_t image_store_next_pages_id(struct image_store *dir);

/*
 * A new, empty file of the transaction, open for reading and writing; an older one of this name is unlinked first,
 * never truncated. For raw images (the caller writes them); those with records are made by image_create().
 */
int image_store_create(struct image_store *dir, enum image_type type, uint64_t id, int *ret_fd);
/* An existing image, for reading. Only regular files. -ENOENT when it is not there. */
int image_store_open(struct image_store *dir, enum image_type type, uint64_t id, int *ret_fd);

/* For this room alone: note an error in the directory; note that a writer came or went (`error` 0 when all is well). */
int image_store_fail(struct image_store *dir, int error, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void image_store_writer_opened(struct image_store *dir);
void image_store_writer_closed(struct image_store *dir, int error);
bool image_store_holds(const struct image_store *dir);
/* Hold an image of these bytes. */
int image_store_keep(struct image_store *dir, enum image_type type, uint64_t id, const void *data, size_t len);

static inline void cleanup_image_store(struct image_store **dir)
{
	image_store_close(*dir);
}
#define _cleanup_image_store_ __attribute__((cleanup(cleanup_image_store)))
