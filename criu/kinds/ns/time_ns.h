/* SPDX-License-Identifier: GPL-2.0-only */
/* Time namespaces: shared between time.c, time_create.c and time_children.c. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "kernel/clocks.h"

struct dump;
struct dump_task;
struct ns;
struct restore;
struct restore_task;

/* State of the whole restore. The root writes to it before it forks, so it is not in the plan (util/arena.h). */
struct time_restore {
	size_t nr; /* namespaces */
	bool clocks_continue; /* in namespaces, from their values at the dump */
	struct clocks base; /* of the initial namespace, at the moment from which they all continue */
};

/* Of a restore, ns->data */
struct time_ns_state {
	bool known; /* values of its clocks at the dump: missing from old images */
	struct clocks stood;
	const struct restore_task *creator; /* the task that creates it for its children; NULL: the root creates it */
	bool has_members;
	const struct time_restore *run;
};

/* ---- time_create.c ---- */

/* Creates it for the children of this process, and keeps a descriptor. 0, or a negative errno; *ret_step: what failed. */
int time_ns_create(struct restore *r, struct ns *ns, const char **ret_step);

/* ---- time_children.c ---- */

/* @task is in another namespace than its children will be, which has this inode. */
int time_children_survey(struct dump *dump, struct dump_task *task, uint32_t ino, bool own);
/* When all tasks have been surveyed: what a restore could not create. */
int time_children_check(struct dump *dump);
/* Adds the namespaces that only children will be in; when all have their state: who creates which. */
int time_children_load(struct restore *r);
int time_children_link(struct restore *r);
/* The namespace that @task creates for its children before it forks, or NULL. */
const struct ns *time_children_early(struct restore *r, const struct restore_task *task);
/* In a task, which is in its own namespace: creates that. */
int time_children_at_birth(struct restore *r, const struct restore_task *task);
