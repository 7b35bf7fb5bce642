// SPDX-License-Identifier: GPL-2.0-only
#include "image/lineage.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "image/reader.h"
#include "image/store_ops.h"
#include "image/verify.h"
#include "inventory.pb-c.h"

static int fail_at(struct image_store *dir, struct image_store *at, size_t distance, int err)
{
	char text[IMAGE_ERROR_MAX];

	if (at == dir)
		return err;
	snprintf(text, sizeof(text), "%s", image_store_error(at));
	return image_store_fail(dir, err, "parent %zu: %.200s", distance, text);
}

/* The run that the images of @at refer to; "" if they do not say. */
static int wanted_parent(struct image_store *at, char ret_id[static 64])
{
	_cleanup_record_ InventoryEntry *entry = NULL;
	int err = image_store_is_dump(at) ? image_read_single(at, IMAGE_INVENTORY, 0, &entry) : 0;

	ret_id[0] = '\0';
	if (!err && entry && entry->parent_run_id)
		snprintf(ret_id, 64, "%s", entry->parent_run_id);
	return err;
}

int image_refers_to_parent(struct image_store *dir, bool *ret)
{
	_cleanup_record_ InventoryEntry *entry = NULL;
	int err = image_read_single(dir, IMAGE_INVENTORY, 0, &entry);

	if (!err)
		*ret = entry->parent_run_id || !entry->origin;
	return err;
}

static int check_id(struct image_store *at, const char *wanted)
{
	_cleanup_record_ InventoryEntry *entry = NULL;
	int err;

	if (!image_store_is_dump(at))
		return image_store_fail(at, -ENOENT, "there is no inventory.img: the images have been removed");
	err = image_read_single(at, IMAGE_INVENTORY, 0, &entry);
	if (!err && (!entry->dump_criu_run_id || strcmp(entry->dump_criu_run_id, wanted)))
		err = image_store_fail(
			at, -EBADMSG, "its images have been replaced: they are not those that pages were left out for");
	return err ? err : image_use_checksums(at, entry);
}

int image_check_lineage(struct image_store *dir)
{
	struct image_store *at = dir, *parent;
	char wanted[64];
	int err;

	for (size_t distance = 0;; distance++, at = parent) {
		err = wanted_parent(at, wanted);
		if (err || !wanted[0])
			return err ? fail_at(dir, at, distance, err) : 0;
		err = image_store_parent(at, &parent);
		if (err)
			return fail_at(dir, at, distance, err);
		err = check_id(parent, wanted);
		if (err)
			return fail_at(dir, parent, distance + 1, err);
	}
}

int image_check_freed(struct image_store *dir)
{
	struct image_store *at = dir;
	bool refers = true;
	int err;

	if (image_store_is_freed(dir))
		return image_store_fail(
			dir, -EBADMSG,
			"pages of these images have been freed (criu dedup, --auto-dedup): only newer images that refer to "
			"them can be restored");
	for (size_t distance = 1;; distance++) {
		err = image_refers_to_parent(at, &refers);
		if (err || !refers)
			return err ? fail_at(dir, at, distance - 1, err) : 0;
		err = image_store_parent(at, &at);
		if (err)
			return err == -ENOENT ? 0 : fail_at(dir, at, distance, err);
		if (image_store_is_freed_for_others(at))
			return image_store_fail(
				dir, -EBADMSG,
				"parent %zu: pages that these images refer to have been freed (criu dedup, "
				"--auto-dedup) for other images, which have been made later, or restored",
				distance);
		if (!image_store_is_dump(at))
			return 0;
	}
}
