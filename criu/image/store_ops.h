/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The operations of a store. A new type of store is one file: a structure that begins with `struct image_store`, a
 * table, a constructor. image/store_base.c handles what they have in common: the state of the transaction, open
 * writers, errors.
 */
#pragma once
#include <stdarg.h>
#include <stddef.h>

#include "image/store.h"

/* An image of records that is being written, sequentially. */
struct image_out {
	enum image_type type;
	uint64_t id;
	char name[IMAGE_NAME_MAX]; /* for messages */
	/* For the store; -1, NULL and 0 until append(), and later if unused. */
	int fd;
	void *own;
	uint64_t size;
	uint32_t crc;
};

/* Called only with a valid type; those for writing only in a transaction. Optional ones may be NULL. */
struct image_store_ops {
	int (*open)(struct image_store *store, enum image_type type, uint64_t id, struct image_extent *ret_extent);
	bool (*has)(struct image_store *store, enum image_type type, uint64_t id);
	/* Optional: the names of all images. */
	int (*for_each)(struct image_store *store,
			int (*fn)(struct image_store *store, enum image_type type, uint64_t id, void *arg), void *arg);
	/* Optional: NULL if there are no checksums. image_store_use_checksums(), image_store_verify(), image_store_verify_all() */
	int (*use_checksums)(struct image_store *store, const char *run_id);
	bool (*has_checksum)(const struct image_store *store, enum image_type type, uint64_t id);
	int (*verify)(struct image_store *store, enum image_type type, uint64_t id, const void *bytes, size_t len);
	int (*verify_all)(struct image_store *store);
	/* Optional: NULL if no pages of the store can be freed. image_store_mark_freed(), image_store_is_freed(), ..._for_others() */
	int (*mark_freed)(struct image_store *store, bool restored);
	bool (*is_freed)(struct image_store *store);
	bool (*is_freed_for_others)(struct image_store *store);
	/* Optional: NULL if there are no parents, no locks, no descriptors. */
	int (*parent)(struct image_store *store, struct image_store **ret_parent);
	int (*set_parent)(struct image_store *store, const char *path);
	int (*lock_for_reading)(struct image_store *store);
	void (*unlock)(struct image_store *store);
	int (*move_fds)(struct image_store *store, int min);

	/* @beside: image_store_begin_beside(). */
	int (*begin)(struct image_store *store, bool beside);
	/* Optional: if it makes a difference for the store. */
	void (*hold)(struct image_store *store);
	void (*part)(struct image_store *store);
	void (*set_run)(struct image_store *store, const struct uuid *run);
	/*
	 * Optional: NULL if images can only be written sequentially.
	 * Creates an image that the caller writes at any offset from its base on: pages. It is complete, and has its
	 * final length, when the next one is created or the transaction is published, whichever is first; so several
	 * can follow each other in one file.
	 */
	int (*create)(struct image_store *store, enum image_type type, uint64_t id, struct image_extent *ret_extent);
	/*
	 * Sequential writing, several images at a time: append() any number of times, then either finish() with the
	 * last bytes (usually the only ones: a small image comes as a whole) or discard(). Both free what @out has,
	 * also on failure.
	 */
	int (*append)(struct image_store *store, struct image_out *out, const void *buf, size_t len);
	int (*finish)(struct image_store *store, struct image_out *out, const void *buf, size_t len);
	void (*discard)(struct image_store *store, struct image_out *out);
	/* Optional, with -EOPNOTSUPP: image_store_drop(). */
	int (*drop)(struct image_store *store, enum image_type type, uint64_t id);
	/*
	 * publish() is all or nothing; then either commit(), which cannot fail, or abort(). abort() may also come
	 * without publish().
	 */
	int (*publish)(struct image_store *store);
	void (*commit)(struct image_store *store);
	/* Optional: image_store_send_but_end() and image_store_seal(), each once, after commit(). */
	int (*send_but_end)(struct image_store *store, int *ret_end_fd);
	int (*seal)(struct image_store *store);
	void (*abort)(struct image_store *store);

	/* Called outside a transaction of this process. */
	void (*free)(struct image_store *store);
};

struct image_store {
	const struct image_store_ops *ops;
	struct image_error error;
	/* The transaction. */
	pid_t writer_pid; /* 0 without one; a forked child must not abort it */
	bool published;
	int writers_open;
	int writer_error; /* the first one */
	uint32_t last_pages_id;
};

/* Sets the error text; returns @error. */
int image_store_fail(struct image_store *store, int error, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
