// SPDX-License-Identifier: GPL-2.0-only
/* Dump: cgroup.img. Like CRIU, only if a thread is not in the tool's own set. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "kinds/ns/cgroup/save.h"
#include "run/dump.h"
#include "task/ns.h"
#include "util/log.h"

/* --cgroup-dump-controller */
static bool is_wanted(const struct dump *dump, const struct cg_hierarchy *h)
{
	const struct str_list *only = &dump->opts->cgroup_dump_controllers;
	struct cg_hierarchies one = { .v = (struct cg_hierarchy *)h, .n = 1 };

	for (size_t i = 0; i < only->n; i++)
		if (cg_hierarchy_find(&one, only->v[i]))
			return true;
	return !only->n;
}

static int cmp_member(const void *a, const void *b)
{
	return strcmp((*(CgMemberEntry *const *)a)->name, (*(CgMemberEntry *const *)b)->name);
}

static size_t prefix_of(const struct cg_set *set, size_t i)
{
	char *const *roots = set->ns && !set->ns->own ? set->ns->data : NULL;

	return roots && roots[i] ? strlen(roots[i]) : 0;
}

static int fill_set(struct dump *dump, const struct cg_set *set, CgSetEntry *entry)
{
	entry->ctls = dump_alloc(dump, (set->at->n + 1) * sizeof(*entry->ctls));
	if (!entry->ctls)
		return -ENOMEM;
	for (size_t i = 0; i < set->at->n; i++) {
		CgMemberEntry *member;

		if (!is_wanted(dump, &set->at->v[i]))
			continue;
		member = dump_alloc(dump, sizeof(*member));
		if (!member)
			return -ENOMEM;
		cg_member_entry__init(member);
		member->name = (char *)set->at->v[i].name;
		member->path = (char *)set->at->v[i].path;
		member->cgns_prefix = (uint32_t)prefix_of(set, i);
		member->has_cgns_prefix = member->cgns_prefix != 0;
		entry->ctls[entry->n_ctls++] = member;
	}
	qsort(entry->ctls, entry->n_ctls, sizeof(*entry->ctls), cmp_member);
	return 0;
}

static int fill_sets(struct dump *dump, const struct cg_dump *cg, CgroupEntry *entry)
{
	int err = 0;

	entry->sets = dump_alloc(dump, cg->sets.n * sizeof(*entry->sets));
	if (!entry->sets)
		return -ENOMEM;
	for (size_t i = 1; !err && i < cg->sets.n; i++) {
		CgSetEntry *set = dump_alloc(dump, sizeof(*set));

		if (!set)
			return -ENOMEM;
		cg_set_entry__init(set);
		set->id = (uint32_t)i + 1;
		err = fill_set(dump, &cg->sets.v[i], set);
		entry->sets[entry->n_sets++] = set;
	}
	return err;
}

static int cmp_name(const void *a, const void *b)
{
	const char *x = *(const char *const *)a, *y = *(const char *const *)b;
	bool named_x = str_has_prefix(x, "name="), named_y = str_has_prefix(y, "name=");

	return named_x != named_y ? named_x - named_y : strcmp(x, y);
}

/* One by one; named ones last. */
static int fill_names(struct dump *dump, const struct cg_hierarchy *h, CgControllerEntry *entry)
{
	char *names = dump_strdup(dump, h->name);

	entry->cnames = dump_alloc(dump, (strlen(h->name) + 1) * sizeof(*entry->cnames));
	if (!names || !entry->cnames)
		return -ENOMEM;
	for (char *name; (name = strsep(&names, ","));)
		entry->cnames[entry->n_cnames++] = name;
	qsort(entry->cnames, entry->n_cnames, sizeof(*entry->cnames), cmp_name);
	return 0;
}

static bool has_threaded(CgroupDirEntry *const *dirs, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		for (size_t j = 0; j < dirs[i]->n_properties; j++)
			if (!strcmp(dirs[i]->properties[j]->name, "cgroup.type") &&
			    !strcmp(dirs[i]->properties[j]->value, "threaded"))
				return true;
		if (has_threaded(dirs[i]->children, dirs[i]->n_children))
			return true;
	}
	return false;
}

static int fill_controller(struct dump *dump, struct cg_dump *cg, struct cg_hierarchy *h, CgControllerEntry *entry)
{
	int err = fill_names(dump, h, entry);

	if (err)
		return fail(err, "cgroups");
	err = cg_hierarchy_open(&cg->own, h, dump->opts, 0);
	if (!err)
		err = cg_save_groups(dump, h, entry);
	/* As CRIU: in version 1 always. */
	entry->has_is_threaded = entry->is_threaded = !cg_is_v2(h) || has_threaded(entry->dirs, entry->n_dirs);
	return err;
}

static int fill_controllers(struct dump *dump, struct cg_dump *cg, CgroupEntry *entry)
{
	int err = 0;

	entry->controllers = dump_alloc(dump, (cg->own.n + 1) * sizeof(*entry->controllers));
	if (!entry->controllers)
		return fail(-ENOMEM, "cgroups");
	for (size_t i = 0; !err && i < cg->own.n; i++) {
		CgControllerEntry *controller = dump_alloc(dump, sizeof(*controller));

		if (!controller)
			return fail(-ENOMEM, "cgroups");
		if (!is_wanted(dump, &cg->own.v[i]))
			continue;
		cg_controller_entry__init(controller);
		err = fill_controller(dump, cg, &cg->own.v[i], controller);
		entry->controllers[entry->n_controllers++] = controller;
	}
	return err;
}

int cg_save(struct dump *dump)
{
	struct cg_dump *cg = cg_dump_of(dump);
	CgroupEntry entry = CGROUP_ENTRY__INIT;
	int err;

	if (!cg || cg->sets.n < 2)
		return 0;
	log_debug("%zu sets of cgroups", cg->sets.n - 1);
	err = fill_sets(dump, cg, &entry);
	if (err)
		return fail(err, "cgroups");
	if (cg_mode(dump->opts) != CGROUP_MODE_IGNORE)
		err = fill_controllers(dump, cg, &entry);
	if (err)
		return err;
	err = image_write_single(dump->dir, IMAGE_CGROUP, 0, &entry.base);
	log_debug("the groups of %zu hierarchies are saved", entry.n_controllers);
	return err < 0 ? fail(err, "%s", image_store_error(dump->dir)) : 0;
}
