/* SPDX-License-Identifier: GPL-2.0-only */
/* --cgroup-root: other paths for the groups of the images. */
#pragma once
#include "cgroup.pb-c.h"
#include "run/cg_hierarchy.h"

struct options;

struct cg_rebase {
	const char *root; /* NULL: paths are unchanged */
	size_t from; /* this part of a path is replaced by it: what all groups of the tree, or the roots of its namespaces, have in common */
};

struct cg_rebase cg_find_rebase(const struct options *opts, const CgroupEntry *entry, const struct cg_hierarchy *h);
/* Out of memory: NULL. */
const char *cg_rebased(struct arena *arena, const struct cg_rebase *rebase, const char *path);
const char *cg_rebased_root(struct arena *arena, const struct cg_rebase *rebase, const CgMemberEntry *member);
/* "@above/@name", where @above may be "/" and @name empty. */
const char *cg_path_below(struct arena *arena, const char *above, const char *name);
