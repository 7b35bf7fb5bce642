/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A small process beside the dumper for what must not stay half done when the dumper is killed. It alone puts sockets of
 * the tree into states that their programs would notice (repair mode, peek offsets), and always finishes the one it has
 * begun before the tree can move (run/guard.h); later it takes back the lock of the network, or closes connections silently, if nobody is left to do it.
 */
#pragma once
#include <stddef.h>
#include <sys/types.h>
#include "kinds/fd/inet/keeper_job.h"

/* What it may have to take back. */
struct keeper_care {
	struct nl_sock *netlink; /* owns the lock's table; NULL: none */
	const char *table; /* name of the one that outlives the dumper */
	const int *pidfds; /* of the tree */
	size_t nr_pidfds;
};

struct keeper;
struct guard;

/* @ret_jobs: to be filled in before keeper_start(). */
int keeper_new(size_t nr_jobs, struct keeper **ret, struct keeper_job **ret_jobs);
/* Forks. @guard: of the dump. It sees @care and the jobs' descriptors as they are now. */
int keeper_start(struct keeper *keeper, const struct keeper_care *care, struct guard *guard);
/* Does as many jobs from @first on as its memory holds, at least one: their number, or a negative errno. */
ssize_t keeper_read(struct keeper *keeper, size_t first);
/* From now on: if the dumper dies while the tree lives, the lasting lock goes; if both are gone, connections end unheard. */
void keeper_tree_ends(struct keeper *keeper);
/* Nothing is left to care for. */
void keeper_release(struct keeper *keeper);
/* The same; and it is gone, with its copies. NULL is fine. */
void keeper_free(struct keeper *keeper);
