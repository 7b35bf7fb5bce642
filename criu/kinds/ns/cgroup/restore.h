/* SPDX-License-Identifier: GPL-2.0-only */
/* The plan and state of a restore of cgroups. */
#pragma once
#include <stdatomic.h>
#include "kinds/ns/cgroup/internal.h"
#include "kinds/ns/cgroup/roots.h"

/* A group of the plan: one that tasks enter, one in the images, or one above those. In the order of their paths: parents first. */
struct cg_group {
	struct cg_hierarchy *h;
	const char *path; /* in this restore: with --cgroup-root */
	const CgroupDirEntry *entry; /* NULL: it is not in the images */
	bool used; /* a thread was in it */
	bool existed; /* before this restore */
	int procs; /* its cgroup.procs, while the restore runs; -1: not opened */
	int domain; /* for a threaded group: that of the group that its processes have to be in first; -1: none */
};
ARRAY_OF(cg_group_array, struct cg_group);

#define CG_NO_GROUP ((size_t)-1)

/* Where a thread was. */
struct cg_member {
	struct cg_hierarchy *h;
	const char *path; /* in this restore; NULL: the hierarchy is missing here, and it was in its root */
	size_t group; /* its index in groups; CG_NO_GROUP */
	const char *ns_root; /* the root of its cgroup namespace, in this restore */
};

struct cg_place {
	uint32_t id;
	struct cg_member *v; /* one per hierarchy of the image */
	size_t n;
};

struct cg_restore {
	enum cgroup_mode mode;
	struct cg_hierarchies own;
	const CgroupEntry *entry;
	struct cg_place *places; /* the first is the tool's own */
	size_t nr_places;
	struct cg_group_array groups;
	struct hash by_path; /* of a group: index + 1 */
	struct cg_rebase *rebases; /* one per hierarchy in @own */
	struct cg_keeper *keeper; /* keeper.h; NULL: nothing was created */
	struct cg_old_array *old; /* properties of groups that existed, before they were changed */
};

/* NULL: nothing is to be restored. */
struct cg_restore *cg_restore_of(struct restore *r);
/* load.c: reads and checks the image, and makes the plan. */
int cg_link(struct restore *r);
/* The place of a thread: that of its entry, or (NULL) the tool's own. */
const struct cg_place *cg_place_of(const struct cg_restore *cg, const CoreEntry *core);
/* Where a task in @place is in this hierarchy; the tool's, if the images do not say. */
const char *cg_path_in(const struct cg_place *place, const struct cg_hierarchy *h);
/* Where its creator is: what it inherits. */
const struct cg_place *cg_inherited_place(const struct cg_restore *cg, const struct restore_task *rt);
struct cg_group *cg_find_group(struct cg_restore *cg, const struct cg_hierarchy *h, const char *path);
/* group.c: its directory. Nothing is logged. */
int cg_open_group(const struct cg_group *group);
/* Freezes the groups that were frozen: when all tasks are complete, and before one runs. */
void cg_freeze(struct cg_restore *cg);
/* make.c: creates the groups, with what has to be set before tasks enter them. In the tool, before it forks. */
int cg_make(struct restore *r);
/* Sets the other properties: all tasks are in their groups. */
int cg_set_properties(struct restore *r);
/* Properties of groups that existed before. May be undone by cg_undo_properties(). */
int cg_set_existing(struct restore *r);
void cg_undo_properties(struct cg_restore *cg);
/* enter.c */
int cg_enter_namespace(struct restore *r, struct ns *ns);
int cg_enter(struct restore *r, const struct restore_task *rt);
int cg_enter_threads(struct restore *r);
