/* SPDX-License-Identifier: GPL-2.0-only */
/* Parts of the user namespace kind. */
#pragma once
#include "kernel/id_map.h"
#include "run/dump.h"
#include "run/restore.h"

/* Dump: ns->data */
struct user_saved {
	bool sets_groups;
	uid_t owner; /* a number of the tool's, as in all three maps */
	struct id_map uids, gids, projects;
};

/* May whoever is in the user namespace of the root of the tree set numbers in its pid namespace, and so in all nested ones? */
bool user_sets_pids(const struct dump *dump);
bool user_has_threads(const struct dump *dump, const struct dump_task *task);
/*
 * A task in another user namespace than the root of the tree: blockers. It is restored with the rights that the root has, and
 * enters its own when it is complete (restore/namespaces.c).
 */
void user_check_nested(struct dump *dump, const struct dump_task *task, const struct ns *tree);
/* Namespaces that belong to another user namespace than that of the root: blockers. */
void user_check_owned(struct dump *dump, const struct ns *tree);
/* The same for images. 0 or a negative errno, logged. */
int user_link_nested(struct restore *r, const struct restore_task *rt);
int user_load_parent(struct restore *r, struct ns *ns);

int user_survey(struct dump *dump);
int user_save(struct dump *dump);
int user_load(struct restore *r, struct ns *ns);
int user_link(struct restore *r);
int user_make(struct restore *r, struct ns *ns);
