// SPDX-License-Identifier: GPL-2.0-only
#include "kinds/ns/cgroup/extra_properties.h"
#include <errno.h>
#include <string.h>
#include "run/cg_hierarchy.h"
#include "kinds/ns/cgroup/properties.h"
#include "run/cgroup_props.h"
#include "run/dump.h"
#include "util/log.h"

#define EVERY_GROUP "global"

struct choosing {
	const struct cgroup_props *props;
	int (*fn)(void *arg, const char *name);
	void *arg;
};

/* The controller that a file belongs to, by its name. */
static bool belongs_to(const char *file, const char *controller)
{
	size_t len = strlen(controller);

	if (!strcmp(controller, EVERY_GROUP))
		return str_has_prefix(file, "cgroup.") || !strchr(file, '.');
	return !strncmp(file, controller, len) && file[len] == '.';
}

static int unless_replaced(void *arg, const char *name)
{
	const struct choosing *c = arg;

	for (size_t i = 0; i < c->props->n; i++)
		if (c->props->v[i].replace && belongs_to(name, c->props->v[i].controller))
			return 0;
	return c->fn(c->arg, name);
}

/* In version 2, a file that a group does not have is left out anyway. */
static bool applies_to(const struct cgroup_props_entry *entry, const struct cg_hierarchy *h)
{
	struct cg_hierarchies one = { .v = (struct cg_hierarchy *)h, .n = 1 };

	return cg_is_v2(h) || !strcmp(entry->controller, EVERY_GROUP) || cg_hierarchy_find(&one, entry->controller);
}

static int each_chosen(struct choosing *c, const struct cg_hierarchy *h)
{
	int err = cg_each_property(h, unless_replaced, c);

	for (size_t i = 0; !err && i < c->props->n; i++)
		for (size_t j = 0; !err && applies_to(&c->props->v[i], h) && j < c->props->v[i].files.n; j++)
			if (!cg_is_forbidden(c->props->v[i].files.v[j]))
				err = c->fn(c->arg, c->props->v[i].files.v[j]);
	return err;
}

int cg_extra_each_property(struct dump *dump, const struct cg_hierarchy *h, int (*fn)(void *arg, const char *name),
			   void *arg)
{
	_cleanup_cgroup_props_ struct cgroup_props props = { 0 };
	struct choosing c = { &props, fn, arg };
	const char *why = NULL;
	int err;

	if (!dump->opts->cgroup_props && !dump->opts->cgroup_props_file)
		return cg_each_property(h, fn, arg);
	err = cgroup_props_read(dump->opts, &props, &why);
	return err ? fail(err, "--cgroup-props, --cgroup-props-file: %s", why ?: "cannot be read") : each_chosen(&c, h);
}
