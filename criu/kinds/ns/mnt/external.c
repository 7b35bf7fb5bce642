// SPDX-License-Identifier: GPL-2.0-only
#include "kinds/ns/mnt/external.h"
#include <stdio.h>
#include <string.h>
#include "util/str.h"

/* TYPE[ID]:VALUE -> VALUE, or ID if there is none. */
static const char *find(const struct options *opts, const char *type, const char *id)
{
	size_t type_len = strlen(type), id_len = strlen(id);

	for (size_t i = 0; i < opts->externals.n; i++) {
		const char *given = opts->externals.v[i];

		if (strncmp(given, type, type_len) || given[type_len] != '[')
			continue;
		given += type_len + 1;
		/* The id may contain a bracket. */
		if (strncmp(given, id, id_len) || given[id_len] != ']')
			continue;
		if (!given[id_len + 1])
			return id;
		if (given[id_len + 1] == ':')
			return given + id_len + 2;
	}
	return NULL;
}

static const char *find_mount(const struct options *opts, const char *id)
{
	for (size_t i = 0; i < opts->ext_mounts_nr; i++)
		if (str_eq(opts->ext_mounts[i].key, id) && opts->ext_mounts[i].val[0])
			return opts->ext_mounts[i].val;
	return *id ? find(opts, "mnt", id) : NULL;
}

const char *external_mount_key(const struct options *opts, const char *mountpoint)
{
	return find_mount(opts, mountpoint);
}

const char *external_device_key(const struct options *opts, unsigned major, unsigned minor)
{
	char id[32];
	const char *key;

	snprintf(id, sizeof(id), "%u/%u", major, minor);
	key = find(opts, "dev", id);
	return key;
}

const char *external_mount_path(const struct options *opts, const char *key)
{
	return find_mount(opts, key);
}

const char *external_device_path(const struct options *opts, const char *key)
{
	return find(opts, "dev", key);
}

int external_overlay_path(const struct options *opts, const char *path, struct buf *ret_path)
{
	const char *best = NULL;
	size_t best_len = 0;

	for (size_t i = 0; i < opts->externals.n; i++) {
		const char *given = opts->externals.v[i], *end;
		size_t len;

		if (!str_has_prefix(given, "overlay[") || !(end = strstr(given, "]:")))
			continue;
		given += strlen("overlay[");
		len = (size_t)(end - given);
		if (len <= best_len || strncmp(path, given, len) || (path[len] && path[len] != '/'))
			continue;
		best = end + 2;
		best_len = len;
	}
	if (!best)
		return 0;
	return buf_printf(ret_path, "%s%s", best, path + best_len) ?: 1;
}

static const char *found_how(const struct options *opts)
{
	for (size_t i = 0; i < opts->externals.n; i++)
		if (str_has_prefix(opts->externals.v[i], "mnt[]"))
			return opts->externals.v[i] + strlen("mnt[]");
	return NULL;
}

bool external_mounts_found(const struct options *opts)
{
	return found_how(opts) != NULL;
}

bool external_sharing(const struct options *opts)
{
	const char *how = found_how(opts);

	return opts->enable_external_sharing || (how && strchr(how, 's'));
}
