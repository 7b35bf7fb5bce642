// SPDX-License-Identifier: GPL-2.0-only
/*
 * Restore: creates the missing groups. What has to be there before a task can enter (CPUs, kinds of groups) is set at
 * once, limits when all tasks are complete, so that a restore needs no more than the program did. Nothing is changed in
 * groups that existed before, unless the mode says so, and then last of all.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "kinds/ns/cgroup/keeper.h"
#include "kinds/ns/cgroup/properties.h"
#include "kinds/ns/cgroup/restore.h"
#include "run/restore.h"
#include "util/fds.h"
#include "util/log.h"

/* ---- one group ---- */

static int set_perms(int dir, const char *name, const CgroupPerms *perms)
{
	const int flags = *name ? AT_SYMLINK_NOFOLLOW : AT_EMPTY_PATH;
	struct stat st;

	if (!perms)
		return 0;
	if (fstatat(dir, name, &st, flags) < 0)
		return errno == ENOENT ? 0 : -errno;
	if ((st.st_uid != perms->uid || st.st_gid != perms->gid) &&
	    fchownat(dir, name, perms->uid, perms->gid, flags) < 0)
		return -errno;
	if ((st.st_mode & 07777) == (perms->mode & 07777))
		return 0;
	return (*name ? fchmodat(dir, name, perms->mode & 07777, 0) : fchmod(dir, perms->mode & 07777)) < 0 ? -errno :
													      0;
}

static int fail_property(const struct cg_group *group, const CgroupPropEntry *prop, int err)
{
	if (err == -ENOENT)
		return fail(
			err,
			"cgroup %s (%s): there is no %s: is its controller enabled in the cgroup.subtree_control above?",
			group->path, cg_hierarchy_title(group->h), prop->name);
	return fail(err, "cgroup %s (%s): write '%s' to %s", group->path, cg_hierarchy_title(group->h), prop->value,
		    prop->name);
}

enum when { EARLY, LATE };

static bool is_due(const CgroupPropEntry *prop, enum when when)
{
	return *prop->value && !cg_is_member_list(prop->name) && !cg_is_freezer(prop->name) &&
	       cg_is_early(prop->name) == (when == EARLY);
}

/* One may depend on another that comes later: a limit that must not be below another. */
static int write_properties(const struct cg_group *group, int dir, enum when when)
{
	bool again = false;
	int err = 0;

	for (unsigned pass = 0; !err && pass < 2 && (!pass || again); pass++)
		for (size_t i = 0; !err && i < group->entry->n_properties; i++) {
			const CgroupPropEntry *prop = group->entry->properties[i];
			int written = is_due(prop, when) ? cg_write_property(dir, prop->name, prop->value) : 0;

			if (written && pass)
				err = fail_property(group, prop, written);
			again |= written != 0;
		}
	return err;
}

static int set_all_perms(const struct cg_group *group, int dir)
{
	int err = set_perms(dir, "", group->entry->dir_perms);

	for (size_t i = 0; !err && i < group->entry->n_properties; i++)
		err = set_perms(dir, group->entry->properties[i]->name, group->entry->properties[i]->perms);
	return err ? fail(err, "cgroup %s (%s): set owners and modes", group->path, cg_hierarchy_title(group->h)) : 0;
}

/* ---- creation ---- */

static void copy_from_above(int dir, const char *name)
{
	_cleanup_buf_ struct buf own = { 0 }, above = { 0 };
	_cleanup_close_ int parent = open_at(dir, "..", O_RDONLY | O_DIRECTORY, 0);

	if (parent >= 0 && !cg_read_property(dir, name, &own) && !own.len && !cg_read_property(parent, name, &above) &&
	    above.len)
		cg_write_property(dir, name, above.data);
}

/* The controllers that a group, or one below it in the plan, needs: those of the properties with a value. */
static int enable_controllers(const struct cg_restore *cg, const struct cg_group *group, int dir)
{
	int err = 0;

	for (size_t i = 0; !err && i < cg->groups.n; i++) {
		const struct cg_group *below = &cg->groups.v[i];

		if (below->h != group->h || below == group || !below->entry || !cg_is_below(below->path, group->path))
			continue;
		for (size_t j = 0; !err && j < below->entry->n_properties; j++) {
			char name[32] = "";
			size_t len = strcspn(below->entry->properties[j]->name, ".");

			if (len >= sizeof(name))
				continue;
			memcpy(name, below->entry->properties[j]->name, len);
			if (strcmp(name, "cgroup"))
				err = cg_write_property(dir, "cgroup.subtree_control", name);
		}
	}
	return err == -ENOENT || err == -EINVAL ? 0 : err;
}

/* One that is not in the images, above those that are: tasks can enter those below. */
static int enable_below(const struct cg_restore *cg, const struct cg_group *group, int dir)
{
	int err = 0;

	if (cg_is_v2(group->h))
		err = enable_controllers(cg, group, dir);
	return err ? fail(err, "cgroup %s: enable controllers for the groups below", group->path) : 0;
}

static int fill_new(const struct cg_restore *cg, const struct cg_group *group)
{
	_cleanup_close_ int dir = cg_open_group(group);
	int err;

	if (dir < 0)
		return fail(dir, "open the cgroup %s (%s)", group->path, cg_hierarchy_title(group->h));
	err = group->entry ? write_properties(group, dir, EARLY) : enable_below(cg, group, dir);
	/* Without them no task can enter: version 1. */
	if (!err && !cg_is_v2(group->h)) {
		copy_from_above(dir, "cpuset.cpus");
		copy_from_above(dir, "cpuset.mems");
	}
	return err || !group->entry ? err : set_all_perms(group, dir);
}

static int create(struct restore *r, struct cg_restore *cg, size_t i)
{
	struct cg_group *group = &cg->groups.v[i];
	int err = cg->keeper ? 0 : cg_keeper_start(r, cg);

	if (err)
		return err;
	cg_keeper_creating(cg->keeper, i);
	if (mkdirat(group->h->root, group->path + 1, 0755) < 0) {
		err = -errno;
		cg_keeper_not_created(cg->keeper, i);
		if (err != -EEXIST)
			return fail(
				err,
				"create the cgroup %s (%s); --manage-cgroups=ignore leaves the tree in that of criu",
				group->path, cg_hierarchy_title(group->h));
		group->existed = true;
		return 0;
	}
	return fill_new(cg, group);
}

static int fail_missing(const struct cg_restore *cg, const struct cg_group *group)
{
	return fail(-ENOENT, "the cgroup %s (%s) does not exist: --manage-cgroups=%s does not create it", group->path,
		    cg_hierarchy_title(group->h), cg->mode == CGROUP_MODE_NONE ? "none" : "props");
}

/* Of those in the images, or that tasks enter; not of those above. */
static int check_existing(const struct cg_restore *cg, const struct cg_group *group)
{
	if (cg->mode == CGROUP_MODE_STRICT && group->path[1] && (group->used || group->entry))
		return fail(-EBUSY, "the cgroup %s (%s) exists already (--manage-cgroups=strict)", group->path,
			    cg_hierarchy_title(group->h));
	return 0;
}

/* A task that enters it would stop there, in the middle of its restore. */
static int check_thawed(const struct cg_group *group)
{
	_cleanup_close_ int dir = group->used ? cg_open_group(group) : -1;
	_cleanup_buf_ struct buf state = { 0 };
	bool frozen;

	if (dir < 0 || cg_read_property(dir, cg_is_v2(group->h) ? "cgroup.events" : "freezer.state", &state))
		return 0;
	frozen = cg_is_v2(group->h) ? strstr(state.data, "frozen 1") != NULL : strcmp(state.data, "THAWED") != 0;
	return frozen ? fail(-EBUSY, "the cgroup %s (%s) is frozen: thaw it before the restore", group->path,
			     cg_hierarchy_title(group->h)) :
			0;
}

static int find_missing(struct restore *r, struct cg_restore *cg)
{
	int err = 0;

	for (size_t i = 0; !err && i < cg->groups.n; i++) {
		struct cg_group *group = &cg->groups.v[i];
		struct stat st;

		err = cg_hierarchy_open(&cg->own, group->h, r->opts, r->service_base);
		if (err)
			break;
		group->existed = !fstatat(group->h->root, cg_below_root(group->path), &st, AT_SYMLINK_NOFOLLOW);
		if (group->existed)
			err = check_existing(cg, group) ?: check_thawed(group);
		else if (group->used && (cg->mode == CGROUP_MODE_NONE || cg->mode == CGROUP_MODE_PROPS))
			err = fail_missing(cg, group);
	}
	return err;
}

/* ---- what tasks write their pids to ---- */

static int open_procs(struct restore *r, const struct cg_group *group, int *ret_fd)
{
	_cleanup_close_ int dir = cg_open_group(group);
	int fd = dir < 0 ? dir : open_at(dir, "cgroup.procs", O_WRONLY, 0),
	    high = fd < 0 ? fd : move_fd_above(fd, r->service_base);

	if (high < 0 && fd >= 0)
		close(fd);
	if (high < 0)
		return fail(high, "open the cgroup %s (%s); --manage-cgroups=ignore leaves the tree in that of criu",
			    group->path, cg_hierarchy_title(group->h));
	*ret_fd = high;
	return 0;
}

static bool is_threaded(const struct cg_group *group)
{
	_cleanup_close_ int dir = cg_is_v2(group->h) ? cg_open_group(group) : -1;
	_cleanup_buf_ struct buf type = { 0 };

	return dir >= 0 && !cg_read_property(dir, "cgroup.type", &type) && !strcmp(type.data, "threaded");
}

/* A process enters a threaded group from the domain that it belongs to. */
static int open_domain(struct restore *r, struct cg_restore *cg, struct cg_group *group)
{
	struct cg_group above = *group;
	char path[4096];

	if (!is_threaded(group) || strlen(group->path) >= sizeof(path))
		return 0;
	strcpy(path, group->path);
	above.path = path;
	do
		*strrchr(path, '/') = 0;
	while (*path && is_threaded(&above));
	if (!*path)
		strcpy(path, "/");
	return open_procs(r, &above, &group->domain);
}

static int open_for(struct restore *r, struct cg_restore *cg, struct cg_group *group)
{
	int err;

	if (!group || group->procs >= 0)
		return 0;
	err = open_procs(r, group, &group->procs);
	return err ? err : open_domain(r, cg, group);
}

/* The tool's own only if a task has to return there. */
static int open_place(struct restore *r, struct cg_restore *cg, const struct cg_place *place, bool own)
{
	int err = 0;

	for (size_t i = 0; !err && i < place->n; i++) {
		const struct cg_member *member = &place->v[i];

		if (member->path && (own || strcmp(member->path, member->h->path)))
			err = open_for(r, cg, &cg->groups.v[member->group]);
	}
	return err;
}

/* Their roots: the process that creates a namespace enters them. */
static int open_ns_roots(struct restore *r, struct cg_restore *cg)
{
	const struct ns *ns;
	int err = 0;

	ns_for_each(ns, &r->plan.namespaces, NS_CGROUP) {
		const struct cg_place *place = cg_place_of(cg, restore_task_of(ns->member)->core);

		for (size_t i = 0; !err && !ns->own && i < place->n; i++)
			if (place->v[i].path && strcmp(place->v[i].ns_root, place->v[i].h->path))
				err = open_for(r, cg, cg_find_group(cg, place->v[i].h, place->v[i].ns_root));
	}
	return err;
}

static int open_all(struct restore *r, struct cg_restore *cg)
{
	struct restore_task *rt;
	bool own = false;
	int err;

	restore_for_each_task(rt, r)
		own |= cg_place_of(cg, rt->core) == cg->places && cg_inherited_place(cg, rt) != cg->places;
	err = own ? open_place(r, cg, cg->places, true) : 0;
	for (size_t i = 1; !err && i < cg->nr_places; i++)
		err = open_place(r, cg, &cg->places[i], own);
	return err ? err : open_ns_roots(r, cg);
}

int cg_make(struct restore *r)
{
	struct cg_restore *cg = cg_restore_of(r);
	int err;

	if (!cg)
		return 0;
	err = find_missing(r, cg);
	for (size_t i = 0; !err && i < cg->groups.n; i++)
		if (!cg->groups.v[i].existed && cg->mode >= CGROUP_MODE_SOFT)
			err = create(r, cg, i);
	return err ? err : open_all(r, cg);
}

/* ---- when all tasks are complete ---- */

int cg_set_properties(struct restore *r)
{
	struct cg_restore *cg = cg_restore_of(r);
	int err = 0;

	for (size_t i = 0; cg && !err && i < cg->groups.n; i++) {
		_cleanup_close_ int dir = -1;

		if (!cg_keeper_created(cg->keeper, i) || !cg->groups.v[i].entry)
			continue;
		dir = cg_open_group(&cg->groups.v[i]);
		err = dir < 0 ? fail(dir, "open the cgroup %s", cg->groups.v[i].path) :
				write_properties(&cg->groups.v[i], dir, LATE);
	}
	return err;
}
