/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The images of a dump: in a directory (image/dir.h), discarded (image/null_store.h), or sent and received (image/stream.h).
 * Callers only see a store; the implementation is a table of functions (image/store_ops.h).
 *
 * Images are written in one transaction. A store without an inventory does not contain a dump, and the inventory
 * appears last: a dump is visible as a whole or not at all, and a failed one leaves an older one unchanged. Images of
 * an older dump that the new one does not write are left alone.
 *
 * Functions return 0 (unless noted otherwise) or a negative errno; image_store_error() has the error text.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "image/catalog.h"
#include "image/error.h"
#include "util/uuid.h"

struct image_store;

/* The location of the bytes of one image. */
struct image_extent {
	int fd; /* to be closed by the caller; -1: in memory, at @bytes */
	const uint8_t *bytes; /* borrowed, valid until the store is closed; NULL with a descriptor */
	uint64_t base; /* offset in @fd where the image begins */
	uint64_t len; /* of the image at the time of opening; 0 for a new one */
};

/* Aborts an open transaction of this process. Descriptors in extents stay valid. NULL is allowed. */
void image_store_close(struct image_store *store);

const char *image_store_error(const struct image_store *store);
/* From now on the store (and its parents) has its descriptors at or above @min. */
int image_store_move_fds(struct image_store *store, int min);
/* Is there an inventory? */
bool image_store_is_dump(struct image_store *store);
/*
 * The store of the previous dump that this one is based on, borrowed: it is closed with @store. -ENOENT if there is
 * none, -ELOOP if the chain of parents is a loop or has more than 1024 links.
 */
int image_store_parent(struct image_store *store, struct image_store **ret_parent);

/*
 * In a transaction: these images refer to the previous ones at @path, as seen from the store. -ENOENT: there is no such store,
 * -EEXIST: they refer to others already, -EOPNOTSUPP: images in this store cannot have a parent. An abort removes the reference.
 */
int image_store_set_parent(struct image_store *store, const char *path);

/*
 * Prevents writers until image_store_unlock(). A transaction takes its own lock, from beginning to end. -EBUSY: another
 * process is writing.
 */
int image_store_lock_for_reading(struct image_store *store);
void image_store_unlock(struct image_store *store);
/* Calls @fn for each image of the store, in no particular order, until it fails. -EOPNOTSUPP: this store cannot list them. */
int image_store_for_each(struct image_store *store,
			 int (*fn)(struct image_store *store, enum image_type type, uint64_t id, void *arg), void *arg);
/* Opens an image for reading raw bytes (image_open() reads records). -ENOENT if it does not exist. */
int image_store_open(struct image_store *store, enum image_type type, uint64_t id, struct image_extent *ret_extent);

/*
 * A store may keep checksums of its images (a directory does, image/checksums.h). From now on, images that have one are
 * verified when they are read. No effect where there are none. @run_id: of the dump; those of a page server are only used
 * if they are of the same (NULL: never).
 */
bool image_store_has_checksums(const struct image_store *store);
int image_store_use_checksums(struct image_store *store, const char *run_id);
/* Has this image a checksum? */
bool image_store_has_checksum(const struct image_store *store, enum image_type type, uint64_t id);
/* -EBADMSG: these are not the bytes of the image that was written. */
int image_store_verify(struct image_store *store, enum image_type type, uint64_t id, const void *bytes, size_t len);
/* All images with checksums that have not been verified yet: -EBADMSG if one is damaged, or missing. */
int image_store_verify_all(struct image_store *store);
/*
 * Call before pages of these images are freed: they cannot be restored by themselves any more, only as parents of images that
 * those pages: of those that the chain of parents starts with, and what refers to these; of none if they have been @restored. The mark
 * does not count for other images that replace them. 0, or a negative errno with a text.
 */
int image_store_mark_freed(struct image_store *store, bool restored);
bool image_store_is_freed(struct image_store *store);
/* Of a parent: for images that are not in the chain that it was found by, whose pages may be lost. */
bool image_store_is_freed_for_others(struct image_store *store);

/* Starts a transaction, in which images can be created; -EBUSY if one is open already, or the store is locked. */
int image_store_begin(struct image_store *store);
/* The same for images that are not part of a dump (statistics): the dump in the store may be read at the same time. */
int image_store_begin_beside(struct image_store *store);
/*
 * From now on small images are kept in memory, up to a total limit, and written by image_store_publish() or
 * image_store_commit(): creating a file takes longer than filling it, and the tree may be frozen meanwhile.
 */
void image_store_hold(struct image_store *store);
/*
 * For images that are only a part of a dump, which others complete (a page server's): from now on they get their names at the
 * end of the transaction, and pages images are counted from @last_pages_id + 1.
 */
void image_store_part(struct image_store *store, uint32_t last_pages_id);
/* The dump that those are of: for their checksums. */
void image_store_set_run(struct image_store *store, const struct uuid *run);
/* Removes a finished image of this transaction, so that it can be written again. -ENOENT: there is none. */
int image_store_drop(struct image_store *store, enum image_type type, uint64_t id);
/*
 * Creates an empty image in the transaction that the caller writes at any offset from @base on: pages. Records are
 * written with image_create().
 */
int image_store_create(struct image_store *store, enum image_type type, uint64_t id, struct image_extent *ret_extent);
/* Are pages images, too, written with image_create(), one after the other? Then image_store_create() is not possible. */
bool image_store_sequential(const struct image_store *store);
/* Id of the next pages image of this transaction, from 1. */
uint32_t image_store_next_pages_id(struct image_store *store);
/*
 * Makes everything that was written visible, the inventory last. -EBUSY while a writer is open; if a writer failed, its
 * error. After a failed commit the store is unchanged and the transaction still open: abort it. (The transaction of a
 * page server has no inventory: that is not an error.)
 */
int image_store_commit(struct image_store *store);
/*
 * The same, but the transaction stays open: the new images are visible, and until the commit an abort still restores
 * the older ones.
 */
int image_store_publish(struct image_store *store);
/*
 * After the commit, for images that are sent: the receiver regards them as complete from here on. They cannot be taken
 * back. No effect in other stores.
 */
int image_store_seal(struct image_store *store);
/*
 * Before that: sends all but the last bytes. *@ret_end_fd, the store's, is a pipe that has those: it becomes empty in the very
 * system call that seals the images, so another process knows whether they are complete when we have been killed. -1: none.
 */
int image_store_send_but_end(struct image_store *store, int *ret_end_fd);
/* Removes everything that was written. No effect without a transaction. */
void image_store_abort(struct image_store *store);

static inline void cleanup_image_store(struct image_store **store)
{
	image_store_close(*store);
}
#define _cleanup_image_store_ __attribute__((cleanup(cleanup_image_store)))
