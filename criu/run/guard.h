/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Temporary changes of a dump to the running system must be undone before the tree runs, even if the dumper is killed;
 * and a tree that is being killed must be killed as a whole. The guard is a process that traces the dumper: if the
 * dumper is killed, it stops before it releases its tracees (PTRACE_EVENT_EXIT), until the guard is done. This protects
 * against the death of either of the two.
 */
#pragma once
#include <stdbool.h>
#include <sys/types.h>

struct dump;
struct guard;

/*
 * Starts it, unless it is running: after every thread of the tree has been stopped. If the dumper cannot be traced (it
 * is being debugged), the dump continues with a warning. 0, or a negative errno that has been logged.
 */
int guard_begin(struct dump *dump);
/* Call before the tree is released, when there are no temporary changes. No effect without a guard. */
void guard_end(struct dump *dump);

/*
 * For a helper process of the dumper, around an operation that must not remain half done: the tree stays frozen until
 * guard_leave(). False: the tree may be running already, start nothing. With NULL, always true.
 */
bool guard_enter(struct guard *guard);
void guard_leave(struct guard *guard);

/* The dumper temporarily changes SO_PEEK_OFF of @fd from @was; one socket at a time. */
void guard_peek_offset(struct guard *guard, int fd, int was);
void guard_peek_offset_is_back(struct guard *guard);

/*
 * From here on, if the dumper is killed, @asks(@fd) is called in the guard before the tree is released; true: every process
 * of the tree receives @sig. NULL: not any more. @fd stays open until guard_end(), as the guard has our descriptors: whoever
 * waits for the end of such a stream waits for that of the tree.
 */
void guard_asks(struct guard *guard, bool (*asks)(int fd), int fd, int sig);
/* From here on every process of the tree receives @sig (SIGKILL, SIGSTOP), from the guard if the dumper is killed. */
void guard_tree_gets(struct guard *guard, int sig);
