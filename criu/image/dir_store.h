/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Internals of the store in a directory. The inventory is always written under a temporary name and renamed last. If
 * there is an older dump, all other images have temporary names until the commit, too. What a killed dumper left behind
 * is overwritten or removed by the next one. Nothing is synced to disk: the guarantee covers killed processes, not
 * system crashes.
 */
#pragma once
#include <sys/stat.h>

#include "base/bits.h"
#include "image/checksums.h"
#include "image/image_set.h"
#include "image/seen.h"
#include "image/store_ops.h"

/* Suffixes of files in an unfinished transaction: the new NAME, and during a commit the old NAME. */
#define SUFFIX_NEW ".criu-new"
#define SUFFIX_OLD ".criu-old"
#define INVENTORY_NAME "inventory.img"
#define CHECKSUMS_NAME "checksums.img"
#define PAGE_CHECKSUMS_NAME "checksums-pages.img"

enum { TEMP_NAME_MAX = IMAGE_NAME_MAX + sizeof(SUFFIX_NEW) };

struct dir_file {
	char name[IMAGE_NAME_MAX];
	bool under_temp; /* currently NAME.criu-new */
	bool saved_old; /* during a commit: the older file is NAME.criu-old */
	bool summed; /* complete, with: */
	uint64_t size;
	uint32_t crc;
};

struct dir_store {
	struct image_store store;
	int fd;
	struct dir_store *child, *parent; /* the chain of parents; each owns its parent */
	bool locked, read_locked;
	bool marked_freed; /* or cannot be: dir_freed.c */
	struct seen_images seen; /* while it is locked for reading */

	bool distrusted; /* image_dir_distrust() */
	uid_t owner;
	struct image_set copies;
	struct checksums sums; /* of the images that are read, if they are to be verified */
	int (*open_elsewhere)(void *arg, int dir, const char *name); /* image_dir_open_elsewhere(); NULL: not given */
	void *elsewhere;

	/* The transaction. */
	bool listed; /* the position of @fd is no longer at the start */
	bool replaces; /* there is an older dump here, or the images are a part of one: they have temporary names */
	bool made_parent; /* the link `parent` */
	bool beside, part; /* of a dump: image_store_begin_beside(), image_store_part() */
	struct uuid run; /* image_store_set_run() */
	struct dir_file *files;
	size_t nr_files, cap_files;
	bool holds;
	struct image_set held;
};

static inline struct dir_store *dir_of(struct image_store *store)
{
	return container_of(store, struct dir_store, store);
}

#define dir_fail(dir, error, ...) image_store_fail(&(dir)->store, error, __VA_ARGS__)

/* dir_new.c: creates the object of a directory. */
int dir_new(int at, const char *path, const struct image_store_ops *ops, struct dir_store **ret_dir);
void dir_free(struct image_store *store);
int dir_move_fds(struct image_store *store, int min);

/* dir_lock.c: flock(2), @how is LOCK_SH or LOCK_EX. */
int dir_lock(struct dir_store *dir, int how);
int dir_lock_for_reading(struct image_store *store);
void dir_unlock(struct image_store *store);

/* dir_read.c */
int dir_open(struct image_store *store, enum image_type type, uint64_t id, struct image_extent *ret_extent);
bool dir_has(struct image_store *store, enum image_type type, uint64_t id);
int dir_for_each(struct image_store *store,
		 int (*fn)(struct image_store *store, enum image_type type, uint64_t id, void *arg), void *arg);
bool dir_exists(const struct dir_store *dir, const char *name);

/* dir_parent.c */
int dir_parent(struct image_store *store, struct image_store **ret_parent);
int dir_set_parent(struct image_store *store, const char *path);

/* dir_sweep.c: removes what a killed dumper left behind. *ret_replaces: there is an older dump. */
int dir_sweep(struct dir_store *dir, bool *ret_replaces);

/* dir_write.c */
struct dir_file *dir_find_file(struct dir_store *dir, const char *name);
int dir_create(struct image_store *store, enum image_type type, uint64_t id, struct image_extent *ret_extent);
int dir_append(struct image_store *store, struct image_out *out, const void *buf, size_t len);
int dir_finish(struct image_store *store, struct image_out *out, const void *buf, size_t len);
void dir_discard(struct image_store *store, struct image_out *out);
int dir_write_held(struct dir_store *dir);

/* dir_sums.c */
int dir_write_sums(struct dir_store *dir);
int dir_use_sums(struct image_store *store, const char *run_id);
bool dir_has_sum(const struct image_store *store, enum image_type type, uint64_t id);
int dir_verify(struct image_store *store, enum image_type type, uint64_t id, const void *bytes, size_t len);
int dir_verify_all(struct image_store *store);

/* dir_freed.c: image_store_mark_freed(), image_store_is_freed(), image_store_is_freed_for_others() */
int dir_mark_freed(struct image_store *store, bool restored);
bool dir_is_freed(struct image_store *store);
bool dir_is_freed_for_others(struct image_store *store);

/* dir_names.c: written files get their names, or are removed. */
int dir_publish(struct image_store *store);
void dir_commit(struct image_store *store);
void dir_abort(struct image_store *store);
int dir_drop(struct image_store *store, enum image_type type, uint64_t id);
