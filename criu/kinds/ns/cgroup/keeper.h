/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A helper process that removes the groups that a failed restore has created, also if the tool is killed: it waits for
 * the tool, and for the end of the tasks in them. It exists only if a group has to be created.
 */
#pragma once
#include "kinds/ns/cgroup/restore.h"

struct cg_keeper;

int cg_keeper_start(struct restore *r, struct cg_restore *cg);
/* Around mkdir(2) of the group with this index. */
void cg_keeper_creating(struct cg_keeper *keeper, size_t group);
void cg_keeper_not_created(struct cg_keeper *keeper, size_t group);
/* The groups are to be frozen after the commit; done. */
void cg_keeper_freezes(struct cg_keeper *keeper, bool pending);
/* Has this restore created it? */
bool cg_keeper_created(const struct cg_keeper *keeper, size_t group);
/* The restore has failed, and no task is left. Waits until the groups are removed. */
void cg_keeper_remove(struct cg_keeper *keeper);
/* The groups stay. */
void cg_keeper_end(struct cg_keeper *keeper);
