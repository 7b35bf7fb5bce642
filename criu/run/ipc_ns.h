/* SPDX-License-Identifier: GPL-2.0-only */
/* IPC namespaces, for kinds whose objects are in them. */
#pragma once
#include <stdbool.h>
#include "run/dump.h"
#include "run/restore.h"
#include "task/ns.h"

/*
 * Dump: call @fn where the names and ids of @task's IPC namespace are valid, with the memory and descriptors of the tool
 * (kernel/ns_run.h). Returns what @fn does, or a negative errno; not logged.
 */
int ipc_ns_of_task(const struct dump_task *task, int (*fn)(void *arg), void *arg);
/* The same before task->ns is known (survey): where it is not the tool's own. */
int ipc_ns_enter(const struct dump_task *task, int (*fn)(void *arg), void *arg);
/*
 * The same in a restore; NULL: the namespace of the root. To be called where in_namespaces and failed are. A failure to
 * enter it is logged.
 */
int ipc_ns_of_restore(struct restore *r, const struct ns *ns, int (*fn)(void *arg), void *arg);
/* The same in the tool's own, which is also the root's unless tasks of the tree are in several. */
int ipc_ns_of_tool(struct restore *r, int (*fn)(void *arg), void *arg);
