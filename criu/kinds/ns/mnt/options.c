// SPDX-License-Identifier: GPL-2.0-only
#include "kinds/ns/mnt/options.h"
#include <ctype.h>
#include <string.h>
#include <sys/mount.h>
#include "base/bits.h"

#ifndef MOUNT_ATTR_NOSYMFOLLOW
#define MOUNT_ATTR_NOSYMFOLLOW 0x00200000
#endif
#ifndef MOUNT_ATTR__ATIME
#define MOUNT_ATTR__ATIME 0x00000070
#endif

struct word {
	const char *text;
	uint32_t flag;
};

static const struct word mount_words[] = {
	{ "rw", 0 },
	{ "ro", MNT_FLAG_RDONLY },
	{ "nosuid", MNT_FLAG_NOSUID },
	{ "nodev", MNT_FLAG_NODEV },
	{ "noexec", MNT_FLAG_NOEXEC },
	{ "noatime", MNT_FLAG_NOATIME },
	{ "nodiratime", MNT_FLAG_NODIRATIME },
	{ "relatime", MNT_FLAG_RELATIME },
	{ "nosymfollow", MNT_FLAG_NOSYMFOLLOW },
	{ "idmapped", 0 }, /* idmap.c */
};
static const struct word sb_words[] = {
	{ "rw", 0 },
	{ "ro", MNT_FLAG_RDONLY },
	{ "sync", MNT_FLAG_SYNC },
	{ "dirsync", MNT_FLAG_DIRSYNC },
	{ "lazytime", MNT_FLAG_LAZYTIME },
};

bool mount_option_is_label(const char *option)
{
	static const char *const names[] = { "context=", "fscontext=", "defcontext=", "rootcontext=" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (str_has_prefix(option, names[i]))
			return true;
	return false;
}

/* In quotes: the closing one; NULL: it is in none. */
static const char *quoted_end(const char *option)
{
	const char *value = mount_option_is_label(option) ? strchr(option, '=') + 1 : NULL;

	return value && *value == '"' ? strchr(value + 1, '"') : NULL;
}

size_t mount_option_len(const char *options)
{
	const char *end = quoted_end(options);
	bool nodes = str_has_prefix(options, "mpol=");
	size_t len = end ? (size_t)(end - options) + 1 : 0;

	while (options[len] && (options[len] != ',' || (nodes && isdigit((unsigned char)options[len + 1]))))
		len += options[len] == '\\' && options[len + 1] ? 2 : 1;
	return len;
}

char *mount_option_value(const char *options, const char *name)
{
	const size_t name_len = strlen(name);

	while (*options) {
		size_t len = mount_option_len(options);

		if (len > name_len && !strncmp(options, name, name_len) && options[name_len] == '=')
			return strndup(options + name_len + 1, len - name_len - 1);
		options += len + (options[len] == ',');
	}
	return NULL;
}

/* Adds its flag; false: it has none. */
static bool find_word(const struct word *words, size_t n, const char *text, size_t len, uint32_t *flags)
{
	for (size_t i = 0; i < n; i++) {
		if (strlen(words[i].text) != len || memcmp(words[i].text, text, len))
			continue;
		*flags |= words[i].flag;
		return true;
	}
	return false;
}

uint32_t mount_flags(const struct mount_info *info, const char **ret_unknown)
{
	uint32_t flags = 0;

	*ret_unknown = NULL;
	for (const char *word = info->options; *word;) {
		size_t len = strcspn(word, ",");

		if (!find_word(mount_words, ARRAY_SIZE(mount_words), word, len, &flags))
			*ret_unknown = word;
		word += len + (word[len] == ',');
	}
	if (!(flags & (MNT_FLAG_NOATIME | MNT_FLAG_RELATIME)))
		flags |= MNT_FLAG_STRICTATIME;
	if (info->shared_id)
		flags |= MNT_FLAG_SHARED;
	if (info->master_id)
		flags |= MNT_FLAG_SLAVE;
	if (info->unbindable)
		flags |= MNT_FLAG_UNBINDABLE;
	return flags;
}

int mount_sb_flags(const char *sb_options, uint32_t *ret_flags, struct buf *options)
{
	uint32_t flags = 0;
	int err = 0;

	for (const char *word = sb_options; !err && *word;) {
		size_t len = mount_option_len(word);

		if (!find_word(sb_words, ARRAY_SIZE(sb_words), word, len, &flags))
			err = buf_printf(options, "%s%.*s", options->len ? "," : "", (int)len, word);
		word += len + (word[len] == ',');
	}
	*ret_flags = flags;
	return err;
}

uint64_t mount_attributes(uint32_t flags)
{
	static const struct {
		uint32_t flag;
		uint64_t attribute;
	} all[] = {
		{ MNT_FLAG_RDONLY, MOUNT_ATTR_RDONLY },
		{ MNT_FLAG_NOSUID, MOUNT_ATTR_NOSUID },
		{ MNT_FLAG_NODEV, MOUNT_ATTR_NODEV },
		{ MNT_FLAG_NOEXEC, MOUNT_ATTR_NOEXEC },
		{ MNT_FLAG_NOSYMFOLLOW, MOUNT_ATTR_NOSYMFOLLOW },
		{ MNT_FLAG_NODIRATIME, MOUNT_ATTR_NODIRATIME },
	};
	uint64_t attributes = 0;

	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		if (flags & all[i].flag)
			attributes |= all[i].attribute;
	/* A number, not bits: to clear it, all of its bits must be given. */
	if (flags == ~0u)
		return attributes | MOUNT_ATTR__ATIME;
	if (flags & MNT_FLAG_NOATIME)
		return attributes | MOUNT_ATTR_NOATIME;
	return flags & MNT_FLAG_RELATIME ? attributes : attributes | MOUNT_ATTR_STRICTATIME;
}
