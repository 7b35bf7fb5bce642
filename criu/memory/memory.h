/* SPDX-License-Identifier: GPL-2.0-only */
/* Address spaces: what is mapped where, and the pages in it. Errors are negative errno and have been logged. */
#pragma once
#include "run/dump.h"
#include "run/restore.h"

/* ---- dump ------------------------------------------------------------------------------ */

/* Which VMAs cannot be saved (dump_blocker). Needs maps and vma_flags. */
int memory_survey(struct dump *dump, struct dump_task *dt);
/* Would a task give the same answers as @donor, which is like it in what kmem/tasks.h knows (@knows_fpu_perm: in that, too)? */
bool memory_arch_is_alike(const struct dump_task *donor, bool knows_fpu_perm);
/* With calls made in the target, as a task kind's `in_target`: what of the address space only this CPU has. memory/ARCH/ */
int memory_arch_ask(struct dump *dump, struct dump_task *dt);
/* File ids of what is mapped, of the executable; the record of mm-PID.img (from the arena). */
int memory_save_mm(struct dump *dump, struct dump_task *dt, MmEntry **ret_mm);
/* Mappings of the inode @st, which no path leads to, are of the descriptor that is file @id. */
int memory_mapping_is(struct dump *dump, const struct stat *st, uint32_t id);
/* Pages of private memory to pagemap-PID.img and pages-N.img: from the snapshot where there is one. */
int memory_save_pages(struct dump *dump, struct dump_task *dt, const MmEntry *mm);
/* So that the task may go on before its pages are saved; dt->snapshot stays NULL where that is not to be. */
int memory_snapshot(struct dump *dump, struct dump_task *dt, const MmEntry *mm);
/* Its process, if that is a child of the task, which has to reap it when it is dropped (dump/copies.c); or 0. */
pid_t memory_snapshot_child(const struct dump_task *dt);
void memory_drop_snapshot(struct dump_task *dt);
/* The same, but for its process, which is detached and waits for the guard (wire.h parasite_fork_state). */
void memory_leave_snapshot(struct dump_task *dt);
/* Before and after all others: -ENOMEM; whatever became of the dump, nothing of module memory stays open. */
int memory_dump_begin(struct dump *dump);
void memory_dump_end(struct dump *dump);

/* policy.c: a memory policy, of a thread or a mapping, as its record has it. */
struct policy_fields {
	bool is_set; /* the default is no policy */
	uint32_t mode;
	ProtobufCBinaryData nodes; /* of length 0 without any */
};
int memory_save_policy(struct dump *dump, const struct parasite_vma_policy *p, struct policy_fields *ret_fields);

/* ---- restore --------------------------------------------------------------------------- */

/* Check mm and pagemap of a task; no side effect. */
int memory_load(struct restore *r, struct restore_task *rt);
/* What is loaded where and by whom: which pages are inherited. After every task is loaded. */
int memory_link(struct restore *r);
/* In the task, before it forks: pages that children share with it wait in memory. */
int memory_stage_shared(struct restore *r, struct restore_task *rt);
/* Are these fields a policy? */
bool memory_good_policy(uint32_t mode, const ProtobufCBinaryData *nodes);
/* For the restorer: NULL when this machine has none of its nodes, which is told; or without memory, which is -ENOMEM. */
int memory_lay_policy(struct wire_task *wire, const char *whose, uint32_t mode, const ProtobufCBinaryData *nodes,
		      uint64_t *ret);
/* In the task, after its files: descriptors of mappings, plan for the restorer. */
int memory_hand_over(struct restore *r, struct restore_task *rt, struct wire_task *wire);
/* The end of the address space that the tasks' mappings and ours leave free: room for @len bytes. */
int memory_find_hole(struct restore *r, struct restore_task *rt, uint64_t len, uint64_t *ret_addr);
