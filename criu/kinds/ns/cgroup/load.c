// SPDX-License-Identifier: GPL-2.0-only
/* Restore: reads cgroup.img, and determines which groups there will be, and which tasks enter them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "kinds/kinds.h"
#include "kinds/ns/cgroup/properties.h"
#include "kinds/ns/cgroup/restore.h"
#include "kinds/ns/cgroup/roots.h"
#include "run/restore.h"
#include "run/untrusted.h"
#include "util/fds.h"
#include "util/log.h"
#include "util/proc_root.h"

struct cg_restore *cg_restore_of(struct restore *r)
{
	return *restore_kind_data(r, &cgroup_run);
}

/* 0: unknown, as in images without cgroups. */
static uint32_t set_of(const CoreEntry *core)
{
	if (core && core->thread_core && core->thread_core->has_cg_set)
		return core->thread_core->cg_set;
	return core && core->tc && core->tc->has_cg_set ? core->tc->cg_set : 0;
}

const struct cg_place *cg_place_of(const struct cg_restore *cg, const CoreEntry *core)
{
	uint32_t id = set_of(core);

	for (size_t i = 1; id && i < cg->nr_places; i++)
		if (cg->places[i].id == id)
			return &cg->places[i];
	return &cg->places[0];
}

const char *cg_path_in(const struct cg_place *place, const struct cg_hierarchy *h)
{
	for (size_t i = 0; i < place->n; i++)
		if (place->v[i].h == h && place->v[i].path)
			return place->v[i].path;
	return h->path;
}

const struct cg_place *cg_inherited_place(const struct cg_restore *cg, const struct restore_task *rt)
{
	const struct restore_task *by = rt->creator;

	/* Those that stand in for dead leaders have no groups of their own. */
	while (by && by->helper)
		by = by->creator;
	return by ? cg_place_of(cg, by->core) : cg->places;
}

/* A plain tree, in the group of the tool that dumped it: it stays in that of this tool. */
static bool is_in_own_set(struct restore *r)
{
	const struct restore_task *rt;
	const struct ns *ns;

	restore_for_each_task(rt, r)
		for (size_t i = 0; i < rt->nr_threads; i++) {
			uint32_t set = set_of(rt->threads[i].core);

			if (set && set != r->plan.root_cg_set)
				return false;
		}
	ns_for_each(ns, &r->plan.namespaces, NS_CGROUP)
		if (!ns->own)
			return false;
	return true;
}

/* ---- groups ---- */

static uint64_t key_of(const struct cg_hierarchy *h, const char *path)
{
	return hash_mix(hash_str(path) ^ (uintptr_t)h);
}

static bool is_group(const struct cg_group *group, const struct cg_hierarchy *h, const char *path)
{
	return group->h == h && !strcmp(group->path, path);
}

struct cg_group *cg_find_group(struct cg_restore *cg, const struct cg_hierarchy *h, const char *path)
{
	uint64_t i;

	if (!hash_get(&cg->by_path, key_of(h, path), &i))
		return NULL;
	if (is_group(&cg->groups.v[i - 1], h, path))
		return &cg->groups.v[i - 1];
	/* Two groups with the same key: one of them is not in the table. */
	for (i = 0; i < cg->groups.n; i++)
		if (is_group(&cg->groups.v[i], h, path))
			return &cg->groups.v[i];
	return NULL;
}

static int add_group(struct cg_restore *cg, struct cg_hierarchy *h, const char *path, struct cg_group **ret)
{
	struct cg_group *group = cg_find_group(cg, h, path);

	if (!group) {
		group = array_push(&cg->groups);
		if (!group)
			return fail(-ENOMEM, "cgroups");
		*group = (struct cg_group){ .h = h, .path = path, .procs = -1, .domain = -1 };
		if (hash_put(&cg->by_path, key_of(h, path), cg->groups.n))
			return fail(-ENOMEM, "cgroups");
	}
	*ret = group;
	return 0;
}

/* Those above it, except for the root. */
static int add_parents(struct restore *r, struct cg_restore *cg, struct cg_hierarchy *h, const char *path)
{
	struct cg_group *group;
	int err = 0;

	for (size_t i = 1; !err && path[i]; i++) {
		char *above;

		if (path[i] != '/')
			continue;
		above = arena_alloc(&r->arena, i + 1);
		if (!above)
			return fail(-ENOMEM, "cgroups");
		memcpy(above, path, i);
		err = add_group(cg, h, above, &group);
	}
	return err;
}

static int check_path(const char *path)
{
	size_t len = strlen(path);

	if (path[0] != '/' || strstr(path, "//") || (len > 1 && path[len - 1] == '/') || len > 4000)
		return fail(-EBADMSG, "cgroup.img: invalid path of a group: '%s'", path);
	for (const char *p = path; p; p = strchr(p + 1, '/'))
		if (!strncmp(p, "/..", 3) && (!p[3] || p[3] == '/'))
			return fail(-EBADMSG, "cgroup.img: invalid path of a group: '%s'", path);
	return 0;
}

static int check_properties(const CgroupDirEntry *dir)
{
	for (size_t i = 0; i < dir->n_properties; i++)
		if (cg_is_forbidden(dir->properties[i]->name))
			return fail(-EBADMSG, "cgroup.img: group %s: '%s' is not a property that can be restored",
				    dir->dir_name, dir->properties[i]->name);
	return 0;
}

static const struct cg_rebase *rebase_of(const struct cg_restore *cg, const struct cg_hierarchy *h)
{
	return &cg->rebases[h - cg->own.v];
}

struct loading {
	struct restore *r;
	struct cg_restore *cg;
	struct cg_hierarchy *h;
	const struct cg_rebase *rebase; /* of this hierarchy */
	bool below_root; /* the group that is being loaded is below a record of the root group */
};

/* Is it, or one below it, a group of the tree? */
static bool leads_to_used(const struct loading *l, const char *path)
{
	const CgroupEntry *entry = l->cg->entry;
	struct cg_hierarchies one = { .v = l->h, .n = 1 };

	for (size_t i = 0; i < entry->n_sets; i++)
		for (size_t j = 0; j < entry->sets[i]->n_ctls; j++)
			if (cg_hierarchy_find(&one, entry->sets[i]->ctls[j]->name) &&
			    cg_is_below(entry->sets[i]->ctls[j]->path, path))
				return true;
	return false;
}

/* If a task was in the root group, CRIU also saves all groups of others below it, which are not created again. */
static int load_dir(struct loading *l, const char *above, const CgroupDirEntry *dir)
{
	const char *path = cg_path_below(&l->r->arena, above, dir->dir_name);
	struct cg_group *group;
	int err = path ? check_path(path) : fail(-ENOMEM, "cgroups");

	if (!err && l->below_root && path[1] && !leads_to_used(l, path))
		return 0;

	if (!err)
		err = check_properties(dir);
	if (!err && path[1]) {
		const char *here = cg_rebased(&l->r->arena, l->rebase, path);

		err = here ? add_group(l->cg, l->h, here, &group) : fail(-ENOMEM, "cgroups");
		if (!err)
			err = add_parents(l->r, l->cg, l->h, here);
		/* It may have moved. */
		if (!err)
			cg_find_group(l->cg, l->h, here)->entry = dir;
	}
	for (size_t i = 0; !err && i < dir->n_children; i++)
		err = load_dir(l, path, dir->children[i]);
	return err;
}

static int load_controller(struct restore *r, struct cg_restore *cg, const CgControllerEntry *entry)
{
	struct loading l = { .r = r, .cg = cg };
	int err = 0;

	if (!entry->n_cnames)
		return fail(-EBADMSG, "cgroup.img: a hierarchy without a name");
	l.h = cg_hierarchy_find(&cg->own, entry->cnames[0]);
	/* Whether that matters is checked with the sets. */
	if (!l.h)
		return 0;
	l.rebase = rebase_of(cg, l.h);
	for (size_t i = 0; !err && i < entry->n_dirs; i++) {
		l.below_root = !*entry->dirs[i]->dir_name;
		err = load_dir(&l, "/", entry->dirs[i]);
	}
	return err;
}

/* ---- sets ---- */

static int load_member(struct restore *r, struct cg_restore *cg, const CgMemberEntry *entry, struct cg_member *member)
{
	const struct cg_rebase *rebase;
	struct cg_group *group;
	const char *path;
	int err = check_path(entry->path);

	if (err)
		return err;
	if (entry->has_cgns_prefix && entry->cgns_prefix > strlen(entry->path))
		return fail(-EBADMSG, "cgroup.img: %s: invalid length of the namespace's root", entry->path);
	member->h = cg_hierarchy_find(&cg->own, entry->name);
	member->group = CG_NO_GROUP;
	if (!member->h && !entry->path[1])
		return 0;
	if (!member->h)
		return fail(
			-ENOENT,
			"the tree was in the cgroup %s of the hierarchy %s, which does not exist here: use --manage-cgroups=ignore",
			entry->path, *entry->name ? entry->name : "cgroup 2");
	rebase = rebase_of(cg, member->h);
	path = cg_rebased(&r->arena, rebase, entry->path);
	member->ns_root = cg_rebased_root(&r->arena, rebase, entry);
	if (!path || !member->ns_root)
		return fail(-ENOMEM, "cgroups");
	err = add_group(cg, member->h, path, &group);
	if (!err)
		err = add_parents(r, cg, member->h, path);
	if (!err)
		err = add_group(cg, member->h, member->ns_root, &group) ?:
									  add_parents(r, cg, member->h, member->ns_root);
	if (err)
		return err;
	group = cg_find_group(cg, member->h, path);
	group->used = true;
	member->path = path;
	return 0;
}

static int load_place(struct restore *r, struct cg_restore *cg, const CgSetEntry *entry, struct cg_place *place)
{
	int err = 0;

	place->id = entry->id;
	place->v = restore_alloc(r, (entry->n_ctls + 1) * sizeof(*place->v));
	if (!place->v)
		return fail(-ENOMEM, "cgroups");
	place->n = entry->n_ctls;
	for (size_t i = 0; !err && i < entry->n_ctls; i++)
		err = load_member(r, cg, entry->ctls[i], &place->v[i]);
	return err;
}

/* Tasks that were in the groups of the dumper are in those of this tool: which one has to return to, if its parent left them. */
static int load_own_place(struct restore *r, struct cg_restore *cg)
{
	struct cg_place *own = &cg->places[0];
	int err = 0;

	own->id = r->plan.root_cg_set;
	own->v = restore_alloc(r, (cg->own.n + 1) * sizeof(*own->v));
	if (!own->v)
		return fail(-ENOMEM, "cgroups");
	for (size_t i = 0; !err && i < cg->own.n; i++) {
		struct cg_group *group;

		own->v[own->n++] = (struct cg_member){ .h = &cg->own.v[i],
						       .path = cg->own.v[i].path,
						       .ns_root = cg->own.v[i].path };
		err = add_group(cg, &cg->own.v[i], cg->own.v[i].path, &group);
	}
	return err;
}

static int cmp_group(const void *a, const void *b)
{
	const struct cg_group *x = a, *y = b;

	return x->h != y->h ? (x->h > y->h) - (x->h < y->h) : strcmp(x->path, y->path);
}

static int find_indexes(struct cg_restore *cg)
{
	array_sort(&cg->groups, cmp_group);
	for (size_t i = 0; i < cg->groups.n; i++)
		if (hash_put(&cg->by_path, key_of(cg->groups.v[i].h, cg->groups.v[i].path), i + 1))
			return fail(-ENOMEM, "cgroups");
	for (size_t i = 0; i < cg->nr_places; i++)
		for (size_t j = 0; j < cg->places[i].n; j++) {
			struct cg_member *member = &cg->places[i].v[j];

			if (member->path)
				member->group = (size_t)(cg_find_group(cg, member->h, member->path) - cg->groups.v);
		}
	return 0;
}

static int check_set_ids(struct restore *r, const struct cg_restore *cg)
{
	const struct restore_task *rt;

	restore_for_each_task(rt, r)
		for (size_t i = 0; i < rt->nr_threads; i++) {
			uint32_t id = set_of(rt->threads[i].core);

			if (id && id != r->plan.root_cg_set && cg_place_of(cg, rt->threads[i].core) == cg->places)
				return fail(-EBADMSG, "core-%d.img: the cgroup set %u is not in cgroup.img",
					    rt->threads[i].id.tid, id);
		}
	return 0;
}

static int load_entry(struct restore *r, struct cg_restore *cg)
{
	int err;

	cg->nr_places = cg->entry->n_sets + 1;
	cg->places = restore_alloc(r, cg->nr_places * sizeof(*cg->places));
	cg->rebases = restore_alloc(r, (cg->own.n + 1) * sizeof(*cg->rebases));
	if (!cg->places || !cg->rebases)
		return fail(-ENOMEM, "cgroups");
	for (size_t i = 0; i < cg->own.n; i++)
		cg->rebases[i] = cg_find_rebase(r->opts, cg->entry, &cg->own.v[i]);
	err = load_own_place(r, cg);
	for (size_t i = 0; !err && i < cg->entry->n_sets; i++)
		err = load_place(r, cg, cg->entry->sets[i], &cg->places[i + 1]);
	for (size_t i = 0; !err && i < cg->entry->n_controllers; i++)
		err = load_controller(r, cg, cg->entry->controllers[i]);
	if (!err)
		err = find_indexes(cg);
	return err ? err : check_set_ids(r, cg);
}

/* Of all tasks, in the hierarchy that limits memory. */
static int find_memory_group(struct restore *r, const struct cg_restore *cg)
{
	const struct cg_hierarchy *h = cg_hierarchy_of_memory(&cg->own);
	const struct restore_task *rt;
	const char *common = NULL;
	bool exact = true;

	restore_for_each_task(rt, r) {
		const char *path = h ? cg_path_in(cg_place_of(cg, rt->core), h) : NULL;
		size_t len;
		char *shorter;

		if (!path || (common && !strcmp(common, path)))
			continue;
		exact = !common;
		len = common ? cg_common_length(common, path) : strlen(path);
		shorter = restore_alloc(r, len + 2);
		if (!shorter)
			return fail(-ENOMEM, "cgroups");
		memcpy(shorter, len ? path : "/", len ?: 1);
		common = shorter;
	}
	r->plan.memory_group = common;
	r->plan.memory_group_exact = exact;
	return 0;
}

static int read_own(struct restore *r, struct cg_restore *cg)
{
	_cleanup_buf_ struct buf text = { 0 };
	int err = read_file(proc_root(), "self/cgroup", &text);

	if (!err)
		err = cg_hierarchies_parse(text.data ?: "", text.len, &r->arena, &cg->own);
	return err ? fail(err, "read /proc/self/cgroup") : 0;
}

static void free_groups(void *p)
{
	struct cg_restore *cg = p;

	array_free(&cg->groups);
	hash_free(&cg->by_path);
	cg_hierarchies_close(&cg->own);
}

int cg_link(struct restore *r)
{
	struct cg_restore *cg;
	int err;

	if (cg_mode(r->opts) == CGROUP_MODE_IGNORE || is_in_own_set(r))
		return 0;
	if (r->tool.untrusted) {
		log_warn(
			"the tree was in other cgroups than the tool: with --untrusted-images it stays in those of the tool");
		return 0;
	}
	cg = restore_alloc(r, sizeof(*cg));
	if (!cg || arena_defer(&r->arena, free_groups, cg))
		return fail(-ENOMEM, "cgroups");
	cg->mode = cg_mode(r->opts);
	err = restore_read_record(r, IMAGE_CGROUP, 0, &cgroup_entry__descriptor, &cg->entry);
	if (!err)
		err = read_own(r, cg);
	if (!err)
		err = load_entry(r, cg);
	if (!err)
		err = find_memory_group(r, cg);
	if (!err)
		*restore_kind_data(r, &cgroup_run) = cg;
	return err;
}
