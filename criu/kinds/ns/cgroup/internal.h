/* SPDX-License-Identifier: GPL-2.0-only */
/* The parts of this kind: see cgroup.c. */
#pragma once
#include <stdatomic.h>
#include <stdint.h>
#include "cgroup.pb-c.h"
#include "core.pb-c.h"
#include "run/cg_hierarchy.h"
#include "run/helper_process.h"
#include "run/options.h"
#include "util/array.h"
#include "util/hash.h"

struct dump;
struct dump_task;
struct dump_thread;
struct ns;
struct restore;
struct restore_task;

/* The mode with its default applied. */
static inline enum cgroup_mode cg_mode(const struct options *opts)
{
	return opts->cgroup_mode == CGROUP_MODE_DEFAULT ? CGROUP_MODE_SOFT : opts->cgroup_mode;
}

/* ---- dump ---- */

#define CG_SET_OWN 1 /* the id of the tool's own set: it has no record */

/* Groups that a thread is in: one in each hierarchy. */
struct cg_text {
	char *text; /* of /proc/PID/cgroup, as the tool sees it */
	size_t len;
	struct cg_hierarchies at; /* in the order of the text; the paths are those of the groups */
};
ARRAY_OF(cg_text_array, struct cg_text);

/* The same, and a cgroup namespace. */
struct cg_set {
	uint32_t text; /* index + 1 */
	const struct ns *ns;
	const struct cg_hierarchies *at;
	const struct dump_task *member;
};
ARRAY_OF(cg_set_array, struct cg_set);

struct cg_dump {
	struct cg_hierarchies own;
	struct cg_text_array texts; /* the first is the tool's */
	struct hash by_text;
	struct cg_set_array sets; /* the id is the index + 1; the first is the tool's own */
	struct hash by_groups;
	uint64_t kernel_set; /* the address of the last one, and which text it has: */
	uint32_t kernel_text;
};

/*
 * sets.c: reads which groups the threads of the task are in (th->cgroup_text). Refuses frozen ones: no code could run
 * there.
 */
int cg_read_task(struct dump *dump, struct dump_task *task);
/* With its namespace known, finds the sets of its threads (th->cgroup_set). */
int cg_find_sets(struct dump *dump, struct dump_task *task);
struct cg_dump *cg_dump_of(struct dump *dump);
/* namespaces.c: the roots of the cgroup namespaces of the tree, in ns->data (char *, one per hierarchy). */
int cg_find_ns_roots(struct dump *dump);
/* groups.c: the groups of the tree in a hierarchy, with their properties. */
int cg_save_groups(struct dump *dump, struct cg_hierarchy *h, CgControllerEntry *entry);
