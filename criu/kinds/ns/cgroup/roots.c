// SPDX-License-Identifier: GPL-2.0-only
#include "kinds/ns/cgroup/roots.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "run/restore.h"
#include "util/log.h"

static const char *printed(struct arena *arena, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static const char *printed(struct arena *arena, const char *fmt, ...)
{
	const char *text;
	va_list ap;

	va_start(ap, fmt);
	text = arena_vprintf(arena, fmt, ap);
	va_end(ap);
	return text;
}

const char *cg_path_below(struct arena *arena, const char *above, const char *name)
{
	if (!*name)
		return above;
	return printed(arena, "%s/%s", above[1] ? above : "", name);
}

/*
 * [CTRL:]PATH, where CTRL has no slash: the last one for the hierarchy, or for all; ":PATH" is for version 2 only. NULL:
 * none.
 */
static const char *root_for(const struct options *opts, const struct cg_hierarchy *h)
{
	struct cg_hierarchies one = { .v = (struct cg_hierarchy *)h, .n = 1 };
	const char *named = NULL, *general = NULL;

	for (size_t i = 0; i < opts->cgroup_roots.n; i++) {
		const char *arg = opts->cgroup_roots.v[i], *path = strchr(arg, '/');
		char name[256];
		size_t len = path ? (size_t)(path - arg) : 0;

		if (!path || len >= sizeof(name))
			continue;
		if (!len) {
			general = path;
			continue;
		}
		memcpy(name, arg, len - 1);
		name[len - 1] = 0;
		if (cg_hierarchy_find(&one, name))
			named = path;
	}
	return named ?: general;
}

static size_t prefix_of(const CgMemberEntry *member)
{
	return member->has_cgns_prefix ? member->cgns_prefix : 0;
}

/* Of all sets, in this hierarchy: with the root of its namespace only, or all of its path. */
static size_t common_part(const CgroupEntry *entry, const struct cg_hierarchy *h)
{
	struct cg_hierarchies one = { .v = (struct cg_hierarchy *)h, .n = 1 };
	char first[4096] = "";
	size_t common = 0;
	bool any = false;

	for (size_t i = 0; i < entry->n_sets; i++)
		for (size_t j = 0; j < entry->sets[i]->n_ctls; j++) {
			const CgMemberEntry *member = entry->sets[i]->ctls[j];
			size_t prefix = prefix_of(member);
			char path[4096];

			if (!cg_hierarchy_find(&one, member->name))
				continue;
			snprintf(path, sizeof(path), "%.*s", (int)(prefix ?: strlen(member->path)), member->path);
			if (!any) {
				strcpy(first, path);
				common = path[1] ? strlen(path) : 0;
			} else {
				common = cg_common_length(first, path);
				first[common] = 0;
			}
			any = true;
			if (!common)
				return 0;
		}
	return common;
}

struct cg_rebase cg_find_rebase(const struct options *opts, const CgroupEntry *entry, const struct cg_hierarchy *h)
{
	struct cg_rebase rebase = { .root = root_for(opts, h) };

	if (rebase.root)
		rebase.from = common_part(entry, h);
	return rebase;
}

const char *cg_rebased(struct arena *arena, const struct cg_rebase *rebase, const char *path)
{
	size_t len = rebase->root ? strlen(rebase->root) : 0;
	const char *rest = rebase->root ? path + (strlen(path) < rebase->from ? strlen(path) : rebase->from) : NULL;

	if (!rebase->root)
		return path;
	while (len > 1 && rebase->root[len - 1] == '/')
		len--;
	if (!strcmp(rest, "/"))
		rest = "";
	if (len == 1 && *rest)
		len = 0;
	return printed(arena, "%.*s%s", (int)len, rebase->root, rest);
}

const char *cg_rebased_root(struct arena *arena, const struct cg_rebase *rebase, const CgMemberEntry *member)
{
	size_t prefix = prefix_of(member);
	const char *path = prefix ? printed(arena, "%.*s", (int)prefix, member->path) : "/";

	/* A namespace with the root of the hierarchy moves with it. */
	return path ? cg_rebased(arena, rebase, path) : NULL;
}
