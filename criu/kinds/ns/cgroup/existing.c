// SPDX-License-Identifier: GPL-2.0-only
/*
 * Restore: properties of groups that existed before (--manage-cgroups=props, full), set last of all, and set back if the
 * restore fails.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "kinds/ns/cgroup/properties.h"
#include "kinds/ns/cgroup/restore.h"
#include "run/restore.h"
#include "util/fds.h"
#include "util/log.h"

/* A property before it was changed. */
struct cg_old {
	const struct cg_group *group;
	const char *name;
	char *value;
};
ARRAY_OF(old_array, struct cg_old);
struct cg_old_array {
	struct old_array all;
};

/* Is it one of the @list, which are separated by spaces? */
static bool is_listed(const char *list, const char *word, size_t len)
{
	for (const char *at = list; *at; at += strcspn(at, " "), at += strspn(at, " "))
		if (strcspn(at, " ") == len && !memcmp(at, word, len))
			return true;
	return false;
}

/* The list of controllers for the groups below only takes changes. */
static int disable_others(int dir, const char *old, const char *now)
{
	int err = 0;

	for (; !err && *now; now += strcspn(now, " "), now += strspn(now, " ")) {
		size_t len = strcspn(now, " ");
		char word[64];

		if (is_listed(old, now, len) || len + 2 > sizeof(word))
			continue;
		snprintf(word, sizeof(word), "-%.*s", (int)len, now);
		err = write_text(dir, "cgroup.subtree_control", word);
	}
	return err;
}

static int set_one(struct restore *r, struct cg_restore *cg, const struct cg_group *group, int dir,
		   const CgroupPropEntry *prop)
{
	_cleanup_buf_ struct buf now = { 0 };
	struct cg_old old = { .group = group, .name = prop->name };
	int err = cg_read_property(dir, prop->name, &now);

	if (!err && !strcmp(now.data, prop->value))
		return 0;
	if (!err) {
		old.value = buf_steal(&now);
		err = old.value ? array_add(&cg->old->all, old) : -ENOMEM;
	}
	if (!err)
		err = cg_write_property(dir, prop->name, prop->value);
	return err ? fail(err, "cgroup %s (%s): write '%s' to %s", group->path, cg_hierarchy_title(group->h),
			  prop->value, prop->name) :
		     0;
}

static int set_group(struct restore *r, struct cg_restore *cg, const struct cg_group *group)
{
	_cleanup_close_ int dir = cg_open_group(group);
	int err = dir < 0 ? fail(dir, "open the cgroup %s", group->path) : 0;

	for (size_t i = 0; !err && i < group->entry->n_properties; i++) {
		const CgroupPropEntry *prop = group->entry->properties[i];

		if (*prop->value && !cg_is_member_list(prop->name) && !cg_is_freezer(prop->name))
			err = set_one(r, cg, group, dir, prop);
	}
	return err;
}

int cg_set_existing(struct restore *r)
{
	struct cg_restore *cg = cg_restore_of(r);
	int err = 0;

	if (!cg || (cg->mode != CGROUP_MODE_PROPS && cg->mode != CGROUP_MODE_FULL))
		return 0;
	cg->old = calloc(1, sizeof(*cg->old));
	if (!cg->old)
		return fail(-ENOMEM, "cgroups");
	for (size_t i = 0; !err && i < cg->groups.n; i++)
		if (cg->groups.v[i].existed && cg->groups.v[i].entry && cg->groups.v[i].path[1])
			err = set_group(r, cg, &cg->groups.v[i]);
	return err;
}

void cg_undo_properties(struct cg_restore *cg)
{
	for (size_t i = cg->old ? cg->old->all.n : 0; i-- > 0;) {
		const struct cg_old *old = &cg->old->all.v[i];
		_cleanup_close_ int dir = cg_open_group(old->group);
		_cleanup_buf_ struct buf now = { 0 };
		int err = dir < 0 ? dir : cg_write_property(dir, old->name, old->value);

		if (!err && !strcmp(old->name, "cgroup.subtree_control") && !cg_read_property(dir, old->name, &now))
			err = disable_others(dir, old->value, now.data);
		if (err)
			log_warn("cgroup %s: %s could not be set back to '%s'", old->group->path, old->name,
				 old->value);
		free(old->value);
	}
	if (cg->old)
		array_free(&cg->old->all);
	free(cg->old);
	cg->old = NULL;
}
