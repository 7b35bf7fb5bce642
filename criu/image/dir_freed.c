// SPDX-License-Identifier: GPL-2.0-only
/*
 * The file `pages-freed` in a directory says that pages of its images have been freed, which would be read as zeros. It has
 * the run that made those images, or has sent them to a page server, one in a line: if they are replaced later, it does not matter any
 * more.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "image/dir_store.h"
#include "image/reader.h"
#include "inventory.pb-c.h"
#include "util/fds.h"

#define FREED_NAME "pages-freed"

enum { ID_MAX = 64 };

/* "": the directory of a page server has no inventory, and images of another program may have no id. */
static int run_id(struct image_store *store, char ret_id[static ID_MAX])
{
	_cleanup_record_ InventoryEntry *entry = NULL;
	int err = dir_has(store, IMAGE_INVENTORY, 0) ? image_read_single(store, IMAGE_INVENTORY, 0, &entry) : 0;

	memset(ret_id, 0, ID_MAX);
	if (!err && entry && entry->dump_criu_run_id)
		strncpy(ret_id, entry->dump_criu_run_id, ID_MAX - 1);
	return err;
}

/* "": no page server has written here, or it does not know for whom. */
static int server_run_id(struct image_store *store, char ret_id[static ID_MAX])
{
	struct checksums sums = { 0 };
	int err = checksums_read(store, IMAGE_PAGE_CHECKSUMS, &sums);

	snprintf(ret_id, ID_MAX, "%s", sums.run_id);
	checksums_free(&sums);
	return err == -ENOENT ? 0 : err;
}

static int write_ids(int dir, const char *text)
{
	_cleanup_close_ int fd =
		openat(dir, FREED_NAME, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);

	return fd < 0 ? -errno : write_full(fd, text, strlen(text));
}

int dir_mark_freed(struct image_store *store)
{
	struct dir_store *dir = dir_of(store);
	char id[ID_MAX] = "", server_id[ID_MAX] = "", text[2 * ID_MAX + 2];
	int err = dir->marked_freed ? 0 : run_id(store, id);

	if (!err && !dir->marked_freed)
		err = server_run_id(store, server_id);
	if (err || dir->marked_freed)
		return err;
	dir->marked_freed = true;
	if (!id[0] && !server_id[0])
		return 0;
	/* Both: it cannot be known here whether they will be put together. */
	snprintf(text, sizeof(text), "%s%s%s", id, id[0] && server_id[0] ? "\n" : "", server_id);
	err = write_ids(dir->fd, text);
	dir->marked_freed = !err;
	if (err)
		return dir_fail(dir, err, "create %s, which says that pages have been freed: %s", FREED_NAME,
				strerror(-err));
	return 0;
}

bool dir_is_freed(struct image_store *store)
{
	_cleanup_close_ int fd = openat(dir_of(store)->fd, FREED_NAME, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	char id[ID_MAX], freed[2 * ID_MAX + 2] = "";

	if (fd < 0 || read_full(fd, freed, sizeof(freed) - 1) <= 0 || run_id(store, id) || !id[0])
		return false;
	return strstr(freed, id);
}
