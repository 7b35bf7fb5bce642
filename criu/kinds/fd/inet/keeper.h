/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A helper process of the dumper for operations that must not be left half done if the dumper is killed. Only the
 * keeper puts sockets of the tree into states that their programs would notice (repair mode, peek offsets), and it
 * always finishes the current one before the tree can continue (run/guard.h). Later, if the dumper has been killed, it
 * removes the network lock, or closes connections silently.
 */
#pragma once
#include <stddef.h>
#include <sys/types.h>
#include "kinds/fd/inet/keeper_job.h"

/* What it may have to undo. */
struct keeper_undo {
	struct nl_sock *netlink; /* owner of the lock's table; NULL: none */
	const char *table; /* name of the table that outlives the dumper */
	const int *pidfds; /* of the tree */
	size_t nr_pidfds;
};

struct keeper;
struct guard;

/* @ret_jobs: to be filled in before keeper_start(). */
int keeper_new(size_t nr_jobs, struct keeper **ret, struct keeper_job **ret_jobs);
/* Starts the process. @guard: of the dump. The keeper has @undo and the jobs' descriptors as they are now. */
int keeper_start(struct keeper *keeper, const struct keeper_undo *undo, struct guard *guard);
/*
 * Does at least one job, starting with @first, and as many as fit into its memory. Returns their number, or a negative
 * errno.
 */
ssize_t keeper_read(struct keeper *keeper, size_t first);
/*
 * From now on: if the dumper dies and the tree lives, the persistent lock is removed; if both are gone, connections are
 * closed silently.
 */
void keeper_tree_ends(struct keeper *keeper);
/* There is nothing left to undo. */
void keeper_release(struct keeper *keeper);
/* Also waits for the keeper's exit, which closes its copies of descriptors. May be NULL. */
void keeper_free(struct keeper *keeper);
