// SPDX-License-Identifier: GPL-2.0-only
/*
 * The file `pages-freed` in a directory says that pages of its images have been freed, which would be read as zeros. It has
 * the run that made those images, or has sent them to a page server, one in a line: if they are replaced later, it does not matter any
 * more. A line "for RUN" is for newer images that have those pages themselves: only they, and images that refer to them, do not need
 * them. "for" alone: whatever has been restored is needed by nothing else.
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
#define FOR "for"

enum { ID_MAX = 64, TEXT_MAX = 4096 };

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

/* "": there is no such file, or it cannot be read. */
static void read_freed(const struct dir_store *dir, char ret_text[static TEXT_MAX])
{
	_cleanup_close_ int fd = openat(dir->fd, FREED_NAME, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	ssize_t len = fd < 0 ? 0 : read_full(fd, ret_text, TEXT_MAX - 1);

	ret_text[len < 0 ? 0 : len] = '\0';
}

/* At once: one that is killed leaves what was there. */
static int write_freed(const struct dir_store *dir, const char *text)
{
	_cleanup_close_ int fd = openat(dir->fd, FREED_NAME SUFFIX_NEW,
					O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	int err = fd < 0 ? -errno : write_full(fd, text, strlen(text));

	if (!err && renameat(dir->fd, FREED_NAME SUFFIX_NEW, dir->fd, FREED_NAME))
		err = -errno;
	if (err && fd >= 0)
		unlinkat(dir->fd, FREED_NAME SUFFIX_NEW, 0);
	return err;
}

static const char *next_line(const char *line)
{
	line += strcspn(line, "\n");
	return *line ? line + 1 : line;
}

static bool is_for(const char *line)
{
	return !strncmp(line, FOR, strlen(FOR));
}

/* Are these images freed, or are the lines about others, which they have replaced? */
static bool is_about(const char *text, const char *id)
{
	for (; *text; text = next_line(text))
		if (!is_for(text) && !strncmp(text, id, strlen(id)))
			return id[0];
	return false;
}

static bool names(const char *line, const char *id)
{
	return id[0] && memmem(line, strcspn(line, "\n"), id, strlen(id));
}

/* Is a line "for RUN" for one of the images between @dir and those that it was opened for, these included? */
static bool is_for_chain(struct dir_store *dir, const char *line)
{
	char id[ID_MAX];

	while ((dir = dir->child))
		if ((!run_id(&dir->store, id) && names(line, id)) ||
		    (!server_run_id(&dir->store, id) && names(line, id)))
			return true;
	return false;
}

struct text {
	char buf[TEXT_MAX];
	size_t len;
	bool too_long;
};

/* A line, or a part of one. */
static void add(struct text *text, const char *what, size_t len)
{
	text->too_long |= len >= sizeof(text->buf) - text->len;
	if (text->too_long)
		return;
	memcpy(text->buf + text->len, what, len);
	text->len += len;
	text->buf[text->len] = '\0';
}

static void add_word(struct text *text, const char *word, const char *before)
{
	if (word[0]) {
		add(text, before, strlen(before));
		add(text, word, strlen(word));
	}
}

/* For other images than those of this chain, as a line says that is there. */
static void keep_others(struct dir_store *dir, const char *old, struct text *text)
{
	for (; *old; old = next_line(old))
		if (is_for(old) && !is_for_chain(dir, old)) {
			add(text, "\n", 1);
			add(text, old, strcspn(old, "\n"));
		}
}

/* @restored: no other images have these pages. */
static int add_newest(struct dir_store *dir, bool restored, struct text *text)
{
	char id[ID_MAX] = "", server_id[ID_MAX] = "";
	int err;

	while (dir->child)
		dir = dir->child;
	err = restored ? 0 : run_id(&dir->store, id) ?: server_run_id(&dir->store, server_id);
	if (err)
		return err;
	add_word(text, FOR, "\n");
	add_word(text, id, " ");
	add_word(text, strcmp(server_id, id) ? server_id : "", " ");
	return 0;
}

int dir_mark_freed(struct image_store *store, bool restored)
{
	struct dir_store *dir = dir_of(store);
	char id[ID_MAX] = "", server_id[ID_MAX] = "", old[TEXT_MAX];
	struct text text = { .buf = "" };
	int err = dir->marked_freed ? 0 : run_id(store, id);

	if (!err && !dir->marked_freed)
		err = server_run_id(store, server_id);
	if (err || dir->marked_freed)
		return err;
	dir->marked_freed = true;
	if (!id[0] && !server_id[0])
		return 0;
	/* Both: it cannot be known here whether they will be put together. */
	add_word(&text, id, "");
	add_word(&text, server_id, id[0] ? "\n" : "");
	read_freed(dir, old);
	if (is_about(old, id[0] ? id : server_id))
		keep_others(dir, old, &text);
	err = add_newest(dir, restored, &text);
	if (!err)
		err = text.too_long ? -EFBIG : write_freed(dir, text.buf);
	dir->marked_freed = !err;
	if (err)
		return dir_fail(dir, err, "create %s, which says that pages have been freed: %s", FREED_NAME,
				strerror(-err));
	return 0;
}

bool dir_is_freed(struct image_store *store)
{
	char id[ID_MAX], text[TEXT_MAX];

	read_freed(dir_of(store), text);
	return text[0] && !run_id(store, id) && is_about(text, id);
}

bool dir_is_freed_for_others(struct image_store *store)
{
	char id[ID_MAX], text[TEXT_MAX];

	read_freed(dir_of(store), text);
	if (!text[0] || run_id(store, id) || !is_about(text, id))
		return false;
	for (const char *line = text; *line; line = next_line(line))
		if (is_for(line) && !is_for_chain(dir_of(store), line))
			return true;
	return false;
}
