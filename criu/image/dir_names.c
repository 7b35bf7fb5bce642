// SPDX-License-Identifier: GPL-2.0-only
/* The end of a transaction: files get their names, or lose them again. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "image/dir_store.h"

static void temp_name(const char *name, const char *suffix, char ret[static TEMP_NAME_MAX])
{
	snprintf(ret, TEMP_NAME_MAX, "%s%s", name, suffix);
}

static void take_away(struct dir_store *dir, const struct dir_file *file)
{
	char temp[TEMP_NAME_MAX];

	temp_name(file->name, SUFFIX_NEW, temp);
	unlinkat(dir->fd, file->under_temp ? temp : file->name, 0);
}

int dir_drop(struct image_store *store, enum image_type type, uint64_t id)
{
	struct dir_store *dir = dir_of(store);
	char name[IMAGE_NAME_MAX];
	struct dir_file *file;

	image_name(type, id, name);
	file = dir_find_file(dir, name);
	if (!file)
		return -ENOENT;
	take_away(dir, file);
	*file = dir->files[--dir->nr_files];
	return 0;
}

/* After the new file has been removed: the older one gets its name back. */
static void restore_old(struct dir_store *dir, struct dir_file *file)
{
	char old[TEMP_NAME_MAX];

	temp_name(file->name, SUFFIX_OLD, old);
	if (file->saved_old && !renameat(dir->fd, old, dir->fd, file->name))
		file->saved_old = false;
}

/* Our inventory is removed first, and an older one restored last: at no time does one apply to files of both dumps. */
void dir_abort(struct image_store *store)
{
	struct dir_store *dir = dir_of(store);
	struct dir_file *inventory = dir_find_file(dir, INVENTORY_NAME);

	if (inventory)
		take_away(dir, inventory);
	for (size_t i = dir->nr_files; i-- > 0;) {
		if (&dir->files[i] == inventory)
			continue;
		take_away(dir, &dir->files[i]);
		restore_old(dir, &dir->files[i]);
	}
	if (inventory)
		restore_old(dir, inventory);
	if (dir->made_parent)
		unlinkat(dir->fd, "parent", 0);
	dir->made_parent = false;
	dir->nr_files = 0;
	image_set_clear(&dir->held);
}

/* NAME.criu-new becomes NAME; an older NAME is set aside as NAME.criu-old. */
static int take_name(struct dir_store *dir, struct dir_file *file)
{
	char fresh[TEMP_NAME_MAX], old[TEMP_NAME_MAX];

	if (!file->under_temp)
		return 0;
	temp_name(file->name, SUFFIX_NEW, fresh);
	temp_name(file->name, SUFFIX_OLD, old);
	if (!file->saved_old && !renameat(dir->fd, file->name, dir->fd, old))
		file->saved_old = true;
	else if (!file->saved_old && errno != ENOENT)
		return dir_fail(dir, -errno, "set the older %s aside: %s", file->name, strerror(errno));
	if (renameat(dir->fd, fresh, dir->fd, file->name))
		return dir_fail(dir, -errno, "rename %s: %s", file->name, strerror(errno));
	file->under_temp = false;
	return 0;
}

/* Undoes take_name(), as far as it got; `was_temp`: the file had its temporary name before the commit. */
static void give_name_back(struct dir_store *dir, struct dir_file *file, bool was_temp)
{
	char fresh[TEMP_NAME_MAX], old[TEMP_NAME_MAX];

	temp_name(file->name, SUFFIX_NEW, fresh);
	temp_name(file->name, SUFFIX_OLD, old);
	if (was_temp && !file->under_temp && !renameat(dir->fd, file->name, dir->fd, fresh))
		file->under_temp = true;
	if (file->saved_old && !renameat(dir->fd, old, dir->fd, file->name))
		file->saved_old = false;
}

/*
 * While the files of a dump are renamed there is no inventory: if the dumper is killed here, there is no dump rather
 * than a mixture of two. A transaction without an inventory (statistics, a page server's pages) leaves the old one
 * alone.
 */
static int take_names(struct dir_store *dir, struct dir_file *inventory)
{
	int err = 0;

	if (dir->replaces && inventory) {
		if (renameat(dir->fd, INVENTORY_NAME, dir->fd, INVENTORY_NAME SUFFIX_OLD))
			return dir_fail(dir, -errno, "set the older inventory aside: %s", strerror(errno));
		inventory->saved_old = true;
	}
	for (size_t i = 0; i < dir->nr_files && !err; i++)
		if (&dir->files[i] != inventory)
			err = take_name(dir, &dir->files[i]);
	if (!err && inventory)
		err = take_name(dir, inventory);
	if (!err)
		return 0;
	for (size_t i = dir->nr_files; i-- > 0;)
		if (&dir->files[i] != inventory)
			give_name_back(dir, &dir->files[i], dir->replaces);
	if (inventory)
		give_name_back(dir, inventory, true);
	return err;
}

int dir_publish(struct image_store *store)
{
	struct dir_store *dir = dir_of(store);
	int err = dir_write_held(dir);

	if (!err)
		err = dir_write_sums(dir);
	return err ? err : take_names(dir, dir_find_file(dir, INVENTORY_NAME));
}

void dir_commit(struct image_store *store)
{
	struct dir_store *dir = dir_of(store);
	char old[TEMP_NAME_MAX];

	for (size_t i = 0; i < dir->nr_files; i++) {
		if (!dir->files[i].saved_old)
			continue;
		temp_name(dir->files[i].name, SUFFIX_OLD, old);
		unlinkat(dir->fd, old, 0);
	}
	dir->made_parent = false;
	dir->nr_files = 0;
}
