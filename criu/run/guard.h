/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a dump changes in a running system for a moment must be put back before the tree can move, also when the dumper
 * is killed; and a tree that is being ended must end as a whole. The guard is a process that traces the dumper: one that
 * is killed stops once more before it lets go of those whom it traces (PTRACE_EVENT_EXIT), until the guard is done.
 * What is described here protects against the death of either of the two.
 */
#pragma once
#include <stdbool.h>
#include <sys/types.h>

struct dump;
struct guard;

/*
 * Starts it, unless it is there already: after every thread of the tree is held. Where the dumper cannot be traced
 * (somebody debugs it), the dump goes on with a warning. 0, or a negative errno that has been logged.
 */
int guard_begin(struct dump *dump);
/* Before the tree is let go: nothing is in anybody's hands. Harmless without a guard. */
void guard_end(struct dump *dump);

/*
 * For a process beside the dumper, around what must not stay half done: the tree stands still until guard_leave().
 * False: the tree may be on its way already, begin nothing. NULL is a guard that always agrees.
 */
bool guard_enter(struct guard *guard);
void guard_leave(struct guard *guard);

/* The dumper gives @fd another SO_PEEK_OFF than @was for a moment; one socket at a time. */
void guard_peek_offset(struct guard *guard, int fd, int was);
void guard_peek_offset_is_back(struct guard *guard);

/* From here on every process of the tree gets @sig (SIGKILL, SIGSTOP), by the guard if the dumper cannot. */
void guard_tree_gets(struct guard *guard, int sig);
