// SPDX-License-Identifier: GPL-2.0-only
/* Removes what a killed dumper left in the directory. */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "image/dir_store.h"

enum { LISTING_SIZE = 32 << 10 };

/* True if `name` is one of ours with this suffix, which is removed in @ret_name. */
static bool cut_suffix(const char *name, const char *suffix, char ret_name[static IMAGE_NAME_MAX])
{
	size_t len = strlen(name), tail = strlen(suffix);
	enum image_type type;
	uint64_t id;

	if (len <= tail || len - tail >= IMAGE_NAME_MAX || strcmp(name + len - tail, suffix))
		return false;
	memcpy(ret_name, name, len - tail);
	ret_name[len - tail] = '\0';
	return !image_parse_name(ret_name, &type, &id);
}

/* The work to do, according to the names in the directory. */
struct leftovers {
	bool inventory, old_inventory, others;
	/* A dumper was killed during a commit: the older inventory was set aside, and there is no new one. */
	bool interrupted;
};

typedef int (*entry_fn)(struct dir_store *dir, const char *name, struct leftovers *left);

static int look_at_entry(struct dir_store *dir, const char *entry, struct leftovers *left)
{
	char name[IMAGE_NAME_MAX];

	if (!strcmp(entry, INVENTORY_NAME))
		left->inventory = true;
	else if (!strcmp(entry, INVENTORY_NAME SUFFIX_OLD))
		left->old_inventory = true;
	else if (cut_suffix(entry, SUFFIX_NEW, name) || cut_suffix(entry, SUFFIX_OLD, name))
		left->others = true;
	return 0;
}

/* Removes new images that never got their names. After an interrupted commit the older dump gets its files back. */
static int sweep_entry(struct dir_store *dir, const char *entry, struct leftovers *left)
{
	char name[IMAGE_NAME_MAX];

	if (cut_suffix(entry, SUFFIX_NEW, name))
		unlinkat(dir->fd, entry, 0);
	else if (!cut_suffix(entry, SUFFIX_OLD, name) || !strcmp(name, INVENTORY_NAME))
		return 0;
	else if (!left->interrupted)
		unlinkat(dir->fd, entry, 0);
	else if (renameat(dir->fd, entry, dir->fd, name))
		return dir_fail(dir, -errno, "restore the name of %s: %s", name, strerror(errno));
	return 0;
}

/* Reads by the existing descriptor, whose position is private: fdopendir(3) would need another one. */
static int for_each_entry(struct dir_store *dir, entry_fn fn, struct leftovers *left)
{
	_cleanup_free_ char *listing = malloc(LISTING_SIZE);
	ssize_t len = 0;
	int err = 0;

	if (!listing)
		return dir_fail(dir, -ENOMEM, "out of memory");
	if (dir->listed && lseek(dir->fd, 0, SEEK_SET) < 0)
		return dir_fail(dir, -errno, "read the directory: %s", strerror(errno));
	dir->listed = true;
	while (!err && (len = getdents64(dir->fd, listing, LISTING_SIZE)) > 0)
		for (ssize_t at = 0; !err && at < len;) {
			const struct dirent64 *entry = (const struct dirent64 *)(listing + at);

			err = fn(dir, entry->d_name, left);
			at += entry->d_reclen;
		}
	return len < 0 ? dir_fail(dir, -errno, "read the directory: %s", strerror(errno)) : err;
}

int dir_sweep(struct dir_store *dir, bool *ret_replaces)
{
	struct leftovers left = { 0 };
	int err = for_each_entry(dir, look_at_entry, &left);

	left.interrupted = !left.inventory && left.old_inventory;
	if (!err && (left.others || left.old_inventory))
		err = for_each_entry(dir, sweep_entry, &left);
	if (err)
		return err;
	/* Last: it makes the older dump complete again. */
	if (left.interrupted && renameat(dir->fd, INVENTORY_NAME SUFFIX_OLD, dir->fd, INVENTORY_NAME))
		return dir_fail(dir, -errno, "restore the name of the inventory: %s", strerror(errno));
	if (!left.interrupted && left.old_inventory)
		unlinkat(dir->fd, INVENTORY_NAME SUFFIX_OLD, 0);
	*ret_replaces = left.inventory || left.interrupted;
	return 0;
}
