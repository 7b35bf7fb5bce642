/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * --freeze-cgroup: the tree is frozen by its cgroup while its threads are being stopped, so that it cannot create others.
 * Then the group is thawed, since frozen threads cannot run our code; a group that was frozen before is frozen again
 * before the threads are released. If the tool is killed, a helper process sets the state back. cgroup.freeze (version 2),
 * freezer.state (version 1)
 */
#pragma once
#include <stdbool.h>
#include <sys/stat.h>

struct dump;
struct freezer;

/* Starts freezing it; nothing without the option. 0, or a negative errno that has been logged. */
int freezer_begin(struct dump *dump);
/* Are all tasks in it frozen? Errors are logged. */
int freezer_is_frozen(const struct dump *dump);
/* Version 1: a frozen thread does not report its stop: it has to be thawed when all are seized, and before they are waited for. */
bool freezer_hides_stops(const struct dump *dump);
/* Calls @fn for each process in it and in the groups below, until it returns an error. */
int freezer_each_process(struct dump *dump, int (*fn)(struct dump *dump, int pid));
/* All threads of the tree are stopped, or will be before they run. */
int freezer_thaw(struct dump *dump);
/* Before the threads are released, or after they have been killed: the group is as before. */
void freezer_end(struct dump *dump);
/* Was the group with this directory frozen, by itself, before the dump? False: it is not one of ours; @ret is unchanged. */
bool freezer_was_frozen(const struct dump *dump, const struct stat *dir, bool *ret);
