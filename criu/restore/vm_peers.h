/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tasks that share the memory of another one (CLONE_VM without CLONE_THREAD): VM peers. Each is a process like any
 * other, but heap, errno and log are common to all that share the memory, so only one of them runs at a time. A task's
 * work is divided into steps; the owner of the memory has its peers do each step, one after another, and then does it
 * itself. Only the owner waits for the rest of the tree, between two steps.
 */
#pragma once
#include "run/restore.h"

struct clone_args;
typedef int (*restore_step)(struct restore *r, struct restore_task *rt);

struct vm_peer {
	struct vm_peer *next; /* the one created before it */
	struct restore *r;
	struct restore_task *rt;
	restore_step step;
	int result;
	uint64_t entry; /* address of the restorer, and its orders */
	struct wire_task *wire;
	_Atomic uint32_t turn; /* futex */
};

/* Creates @rt by clone3(2) with @args (flags, pid, exit signal). It waits. Returns its pid, or -errno, not logged. */
long vm_peer_make(struct restore *r, struct restore_task *rt, struct clone_args *args);
/* The last created one does @step, while we wait. */
int vm_peer_run(struct restore *r, restore_step step);
/* In the owner of a memory: every peer does @step, the youngest first; then we, @rt, do. */
int vm_peers_run(struct restore *r, struct restore_task *rt, restore_step step);
/* They enter the restorer at @entry, each with its wire_task. None of them runs our code again. */
void vm_peers_leave(struct restore *r, uint64_t entry);
