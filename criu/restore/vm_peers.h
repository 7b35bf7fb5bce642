/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tasks that live in the memory of another one (CLONE_VM without CLONE_THREAD): sharers. Each is a process like any
 * other, but heap, errno and log are one for all that live there, so one of them runs at a time. What a task does is
 * cut into steps; the owner of the memory has its sharers do each step, one after another, then does it itself. It
 * alone waits for the rest of the tree, between two steps.
 */
#pragma once
#include "run/restore.h"

struct clone_args;
typedef int (*restore_step)(struct restore *r, struct restore_task *rt);

struct vm_peer {
	struct vm_peer *next; /* the one made before it */
	struct restore *r;
	struct restore_task *rt;
	restore_step step;
	int result;
	uint64_t entry; /* of the restorer, and what it is to do there */
	struct wire_task *wire;
	_Atomic uint32_t turn; /* futex */
};

/* Make @rt by clone3(2) with @args (flags, pid, exit signal). It waits. Its pid, or -errno, not logged. */
long vm_peer_make(struct restore *r, struct restore_task *rt, struct clone_args *args);
/* The one that was made last does @step, while we wait. */
int vm_peer_run(struct restore *r, restore_step step);
/* In the owner of a memory: every sharer does @step, the youngest first; then we, @rt, do. */
int vm_peers_run(struct restore *r, struct restore_task *rt, restore_step step);
/* They leave for the restorer at @entry, each with its wire_task. None of them runs our code again. */
void vm_peers_leave(struct restore *r, uint64_t entry);
