/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Processes in pid namespaces nested in that of the root. A process is created with all its numbers by one that is in its
 * namespace or in one around it, and so sees it; the first one of a namespace by one in the namespace around it.
 */
#pragma once
#include <stdbool.h>
#include <sys/types.h>
#include "pie/wire.h"
#include "pstree.pb-c.h"

struct restore;
struct restore_task;

/* nested_load.c: while pstree.img is read, before the namespaces of @rt; after that; when all of it has been read. */
int restore_load_nested(struct restore *r, struct restore_task *rt, const PstreeEntry *e);
int restore_load_nested_threads(struct restore *r, struct restore_task *rt);
int restore_find_nested(struct restore *r);
/* nested_link.c: how each task, whose creator is known, gets into its namespace and its group. */
int restore_link_nested(struct restore *r);
/* forks.c: fills in the list of tasks that each of them forks; none may wait for itself. */
int restore_link_forks(struct restore *r);

/* nested.c, in tasks. The numbers to create @rt with, that in its own namespace first: clone3(2). Returns how many. */
unsigned restore_set_tids(const struct restore_task *rt, pid_t ret_tids[PID_LEVELS_MAX]);
/* Its pid namespace belongs to another user namespace than that of its creator, which does not create it with CLONE_NEWPID. */
bool restore_creates_pid_ns_apart(const struct restore *r, const struct restore_task *rt);
/* Around the creation of @rt by @by; NULL: by a process that is not in the tree, and exits then. */
int restore_before_fork(struct restore *r, const struct restore_task *rt, const struct restore_task *by);
int restore_after_fork(struct restore *r, const struct restore_task *rt, const struct restore_task *by);
/* In @rt: waits until it is in its group, if its creator puts it there. */
int restore_await_group(struct restore *r, const struct restore_task *rt);
/* Is it one of a process, thread or helper of the tree, in the pid namespace of the root? */
bool restore_is_number_of_tree(struct restore *r, pid_t pid);
/* In a process that was forked by @by: does it have a number that a task needs? */
bool restore_is_in_the_way(struct restore *r, const struct restore_task *by);
