// SPDX-License-Identifier: GPL-2.0-only
#include "kinds/ns/mnt/overlay.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/bits.h"
#include "base/cleanup.h"
#include "kinds/ns/mnt/options.h"

/* fsconfig(2) accepts no longer values. */
#define MAX_VALUE 255

struct key {
	const char *text;
	enum overlay_role role;
	bool is_list, escaped;
};
static const struct key keys[] = {
	{ "lowerdir=", OVERLAY_LOWER, true, true },  { "lowerdir+=", OVERLAY_LOWER, false, false },
	{ "datadir+=", OVERLAY_DATA, false, false }, { "upperdir=", OVERLAY_UPPER, false, true },
	{ "workdir=", OVERLAY_WORK, false, true },
};

/* NULL: the option names no directory. */
static const struct key *find_key(const char *word)
{
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (str_has_prefix(word, keys[i].text))
			return &keys[i];
	return NULL;
}

static int add_dir(struct overlay_dirs *dirs, enum overlay_role role, const char *text, size_t len, bool escaped)
{
	struct overlay_dir dir = { role, malloc(len + 1) };
	size_t n = 0;

	for (size_t i = 0; dir.path && i < len; i++) {
		i += escaped && text[i] == '\\' && i + 1 < len;
		dir.path[n++] = text[i];
	}
	if (dir.path)
		dir.path[n] = 0;
	if (!dir.path || array_add(dirs, dir)) {
		free(dir.path);
		return -ENOMEM;
	}
	return 0;
}

/* "a:b::data": after an empty element come layers without names of their own. */
static int add_list(struct overlay_dirs *dirs, const char *text, size_t len)
{
	enum overlay_role role = OVERLAY_LOWER;
	size_t begin = 0;
	int err = 0;

	while (!err && begin <= len) {
		size_t end = begin;

		while (end < len && text[end] != ':')
			end += text[end] == '\\' && end + 1 < len ? 2 : 1;
		if (end == begin)
			role = OVERLAY_DATA;
		else
			err = add_dir(dirs, role, text + begin, end - begin, true);
		begin = end + 1;
	}
	return err;
}

int overlay_dirs_parse(const char *options, struct overlay_dirs *ret)
{
	int err = 0;

	for (const char *word = options; !err && *word;) {
		size_t len = mount_option_len(word);
		const struct key *key = find_key(word);
		size_t skip = key ? strlen(key->text) : 0;

		if (key && key->is_list)
			err = add_list(ret, word + skip, len - skip);
		else if (key)
			err = add_dir(ret, key->role, word + skip, len - skip, key->escaped);
		word += len + (word[len] == ',');
	}
	if (err)
		overlay_dirs_free(ret);
	return err;
}

void overlay_dirs_free(struct overlay_dirs *dirs)
{
	struct overlay_dir *dir;

	array_for_each(dir, dirs)
		free(dir->path);
	array_free(dirs);
}

/* ---- options for fsconfig(2) ---- */

static int add_path(struct buf *to, const char *path, const char *special)
{
	int err = 0;

	for (; !err && *path; path++)
		err = buf_printf(to, "%s%c", strchr(special, *path) ? "\\" : "", *path);
	return err;
}

/* A comma in one of them would be taken for the next option; there is no way to write it. */
static int add_singles(struct buf *to, const struct overlay_dirs *dirs)
{
	const struct overlay_dir *dir;
	int err = 0;

	array_for_each(dir, dirs)
		if (!err && (dir->role == OVERLAY_LOWER || dir->role == OVERLAY_DATA))
			err = buf_printf(to, ",%s%s",
					 dir->role == OVERLAY_LOWER ? "lowerdir+=" : "datadir+=", dir->path);
	return err;
}

static int add_list_of_lowers(struct buf *to, const struct overlay_dirs *dirs)
{
	const struct overlay_dir *dir;
	const char *between = "";
	bool data = false;
	int err = buf_printf(to, ",lowerdir=");

	array_for_each(dir, dirs) {
		if (err || (dir->role != OVERLAY_LOWER && dir->role != OVERLAY_DATA))
			continue;
		err = buf_printf(to, "%s", dir->role == OVERLAY_DATA && !data ? "::" : between);
		data |= dir->role == OVERLAY_DATA;
		if (!err)
			err = add_path(to, dir->path, ":,\\");
		between = ":";
	}
	return err;
}

static int add_lowers(struct buf *to, const struct overlay_dirs *dirs)
{
	_cleanup_buf_ struct buf list = { 0 };
	int err = add_list_of_lowers(&list, dirs);

	if (!err && list.len - strlen(",lowerdir=") <= MAX_VALUE)
		return buf_add(to, list.data, list.len);
	return err ? err : add_singles(to, dirs);
}

static int add_others(struct buf *to, const struct overlay_dirs *dirs)
{
	const struct overlay_dir *dir;
	int err = 0;

	array_for_each(dir, dirs) {
		if (err || (dir->role != OVERLAY_UPPER && dir->role != OVERLAY_WORK))
			continue;
		err = buf_printf(to, ",%s", dir->role == OVERLAY_UPPER ? "upperdir=" : "workdir=");
		if (!err)
			err = add_path(to, dir->path, ",\\");
	}
	return err;
}

static bool is_too_long(const char *options)
{
	for (const char *word = options; *word;) {
		size_t len = mount_option_len(word);

		if (str_has_prefix(word, "lowerdir=") && len - strlen("lowerdir=") > MAX_VALUE)
			return true;
		word += len + (word[len] == ',');
	}
	return false;
}

int overlay_options(const char *options, const struct overlay_dirs *dirs, bool moved, struct buf *ret)
{
	int err = 0;

	if (!moved && !is_too_long(options))
		return buf_printf(ret, "%s", options);
	for (const char *word = options; !err && *word;) {
		size_t len = mount_option_len(word);

		if (!find_key(word))
			err = buf_printf(ret, ",%.*s", (int)len, word);
		word += len + (word[len] == ',');
	}
	if (!err)
		err = add_lowers(ret, dirs);
	return err ? err : add_others(ret, dirs);
}
