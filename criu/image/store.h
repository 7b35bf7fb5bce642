/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where the images of a dump are: in a directory (image/dir.h), in memory (image/memory_store.h), nowhere
 * (image/null_store.h). Callers see a store, whichever it is; what it can do is a table of functions
 * (image/store_ops.h), which another kind of store fills in.
 *
 * Images are written in one transaction. A store without an inventory holds no dump, and the inventory appears last:
 * a dump is there as a whole or not at all, and one that fails leaves an older one as it was. Images of an older dump
 * that the new one does not write are left alone.
 *
 * Every function returns 0 (or what it says) or a negative errno; image_store_error() has the reason in words.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "image/catalog.h"
#include "image/error.h"

struct image_store;

/* Where the bytes of one image are. */
struct image_extent {
	int fd; /* the caller's to close; -1: in memory, at @bytes */
	const uint8_t *bytes; /* borrowed, valid as long as the store; NULL with a descriptor */
	uint64_t base; /* byte of @fd at which the image begins */
	uint64_t len; /* of the image when it was opened; 0 for a new one */
};

/* An open transaction of this process is aborted. Descriptors in extents stay valid. NULL is fine. */
void image_store_close(struct image_store *store);

const char *image_store_error(const struct image_store *store);
/* From now on the store (and its parents) keeps its descriptors at or above @min. */
int image_store_move_fds(struct image_store *store, int min);
/* Is there an inventory? */
bool image_store_is_dump(struct image_store *store);
/*
 * The store of the dump that this one was made on top of, borrowed: it is closed with @store. -ENOENT without one,
 * -ELOOP when the chain of parents is a loop or has more than 1024 links.
 */
int image_store_parent(struct image_store *store, struct image_store **ret_parent);

/*
 * Nobody writes what is being read: from here until image_store_unlock(). A transaction locks by itself, from its
 * beginning to its end. -EBUSY: somebody else writes.
 */
int image_store_lock_for_reading(struct image_store *store);
void image_store_unlock(struct image_store *store);
/* The bytes of an image, for reading (image_open() reads records). -ENOENT when it is not there. */
int image_store_open(struct image_store *store, enum image_type type, uint64_t id, struct image_extent *ret_extent);

/* Images may be created from here on; -EBUSY when a transaction is open already, or the store is locked. */
int image_store_begin(struct image_store *store);
/* The same for what is no part of a dump (statistics): others may be reading the dump there. */
int image_store_begin_beside(struct image_store *store);
/*
 * Small images wait in memory from here on, as long as they are not too much together, and are written by
 * image_store_publish() or image_store_commit(): making a file takes longer than filling it, and somebody may be
 * waiting meanwhile.
 */
void image_store_hold(struct image_store *store);
/*
 * A new, empty image of the transaction that the caller writes at any offset from @base on: pages. Records are written
 * by image_create().
 */
int image_store_create(struct image_store *store, enum image_type type, uint64_t id, struct image_extent *ret_extent);
/* Number of the next pages image of this transaction, from 1. */
uint32_t image_store_next_pages_id(struct image_store *store);
/*
 * Everything that was written appears, the inventory last. -EBUSY while a writer is open; the first error of a
 * writer, when one failed. After a failed commit the store is as before it and the transaction still open: abort it.
 * (A page server's transaction has no inventory: that is no error.)
 */
int image_store_commit(struct image_store *store);
/* The same, but the transaction stays open: everybody sees the new images, and until the commit an abort still brings
 * the older ones back. */
int image_store_publish(struct image_store *store);
/* Everything that was written is removed again. Harmless without a transaction. */
void image_store_abort(struct image_store *store);

static inline void cleanup_image_store(struct image_store **store)
{
	image_store_close(*store);
}
#define _cleanup_image_store_ __attribute__((cleanup(cleanup_image_store)))
