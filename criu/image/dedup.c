// SPDX-License-Identifier: GPL-2.0-only
#include "image/dedup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/bits.h"
#include "base/cleanup.h"
#include "image/lineage.h"
#include "image/pagemap.h"
#include "image/store_ops.h"
#include "util/proc_root.h"

struct dedup {
	struct image_store *dir, *at; /* @at: that of the images that are changed, the same or one of its parents */
	size_t nr_parents; /* how many of the chain may be changed */
	bool restored; /* nothing else is to need the pages */
	uint64_t bytes;
};

static int fail_of(struct dedup *d, struct image_store *at, int err)
{
	char text[IMAGE_ERROR_MAX];

	snprintf(text, sizeof(text), "%s", image_store_error(at));
	return at == d->dir ? err : image_store_fail(d->dir, err, "parent: %.200s", text);
}

/* The overlap of two runs is freed in the image of @old. Pages in blocks (compressed) have no places of their own. */
static int punch(struct dedup *d, int fd, const struct pagemap_run *new, const struct pagemap_run *old)
{
	uint64_t start = MAX_OF(new->vaddr, old->vaddr);
	uint64_t end = MIN_OF(new->vaddr + new->nr_pages *PAGE_SZ, old->vaddr + old->nr_pages * PAGE_SZ);
	int err = image_store_mark_freed(d->at, d->restored); /* first: nobody is to read as zeros what is freed */

	if (err)
		return fail_of(d, d->at, err);
	if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)(old->offset + (start - old->vaddr)),
		      (off_t)(end - start)))
		return image_store_fail(d->dir, -errno, "free a part of the pages image: %s", strerror(errno));
	d->bytes += end - start;
	return 0;
}

static uint64_t end_of(const struct pagemap_run *run)
{
	return run->vaddr + run->nr_pages * PAGE_SZ;
}

static int punch_all(struct dedup *d, int fd, const struct pagemap *new, const struct pagemap *old)
{
	size_t at = 0;
	int err = 0;

	for (size_t i = 0; !err && i < new->nr_runs; i++) {
		const struct pagemap_run *run = &new->runs[i];

		if (!(run->flags & PAGEMAP_PRESENT))
			continue;
		while (at < old->nr_runs && end_of(&old->runs[at]) <= run->vaddr)
			at++;
		for (size_t j = at; !err && j < old->nr_runs && old->runs[j].vaddr < end_of(run); j++)
			if ((old->runs[j].flags & PAGEMAP_PRESENT) && !old->runs[j].blocks)
				err = punch(d, fd, run, &old->runs[j]);
	}
	return err;
}

/* @old: of @at alone, with one pages image. */
static int punch_image(struct dedup *d, struct image_store *at, const struct pagemap *new, const struct pagemap *old)
{
	_cleanup_close_ int fd = -1;

	if (!old->bytes || old->sources[0] < 0)
		return 0;
	fd = proc_fd_open(old->sources[0], O_RDWR);
	if (fd < 0)
		return image_store_fail(d->dir, fd, "open the pages image of a parent for writing: %s", strerror(-fd));
	d->at = at;
	return punch_all(d, fd, new, old);
}

static int punch_parents(struct dedup *d, const struct pagemap *new, enum image_type type, uint64_t id)
{
	struct image_store *at = d->dir;
	int err = 0;

	for (size_t i = 0; !err && i < d->nr_parents; i++) {
		_cleanup_pagemap_ struct pagemap *old = NULL;

		err = image_store_parent(at, &at);
		if (err)
			return fail_of(d, at, err);
		err = pagemap_load_own(at, type, id, &old);
		if (!err)
			err = punch_image(d, at, new, old);
		else if (err == -ENOENT)
			err = 0;
		else
			err = fail_of(d, at, err);
	}
	return err;
}

/*
 * A link `parent` may be left over from older images in the same directory: nobody has said that the other ones are not
 * needed. Those of a page server have no inventory, and a link only if they refer to it.
 */
static int find_parents(struct dedup *d, bool refers)
{
	struct image_store *at = d->dir;
	int err = 0;

	while (!err && refers) {
		err = image_store_parent(at, &at);
		if (err)
			return err == -ENOENT ? 0 : fail_of(d, at, err);
		d->nr_parents++;
		if (image_store_is_dump(at))
			err = image_refers_to_parent(at, &refers);
	}
	return err ? fail_of(d, at, err) : 0;
}

static int dedup_map(struct image_store *dir, enum image_type type, uint64_t id, void *arg)
{
	struct dedup *d = arg;
	_cleanup_pagemap_ struct pagemap *map = NULL;
	int err;

	if (type != IMAGE_PAGEMAP && type != IMAGE_SHMEM_PAGEMAP)
		return 0;
	err = d->restored ? pagemap_load(dir, type, id, &map) : pagemap_load_own(dir, type, id, &map);
	if (err)
		return err;
	if (d->restored) {
		_cleanup_pagemap_ struct pagemap *own = NULL;

		err = pagemap_load_own(dir, type, id, &own);
		if (!err)
			err = punch_image(d, dir, map, own);
	}
	return err ? err : punch_parents(d, map, type, id);
}

static int dedup(struct image_store *dir, bool restored, uint64_t *ret_bytes)
{
	struct dedup d = { .dir = dir, .restored = restored };
	bool refers = true;
	int err = restored ? image_refers_to_parent(dir, &refers) : 0;

	if (!err)
		err = find_parents(&d, refers);
	if (!err)
		err = image_store_for_each(dir, dedup_map, &d);
	*ret_bytes = d.bytes;
	return err;
}

int image_dedup_parents(struct image_store *dir, uint64_t *ret_bytes)
{
	return dedup(dir, false, ret_bytes);
}

int image_dedup_restored(struct image_store *dir, uint64_t *ret_bytes)
{
	return dedup(dir, true, ret_bytes);
}
