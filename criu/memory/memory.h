/* SPDX-License-Identifier: GPL-2.0-only */
/* Address spaces: mappings and their pages. Errors are negative errnos that have been logged. */
#pragma once
#include "run/dump.h"
#include "run/restore.h"

/* ---- dump ------------------------------------------------------------------------------ */

/* Finds VMAs that cannot be saved (dump_blocker). Needs maps and vma_flags. */
int memory_survey(struct dump *dump, struct dump_task *dt);
/* Would a task give the same answers as @donor, which is like it in what kmem/tasks.h has (@has_fpu_perm: in that, too)? */
bool memory_arch_is_alike(const struct dump_task *donor, bool has_fpu_perm);
/*
 * Reads the CPU-specific state of the address space by calls in the target, like `in_target` of a task kind.
 * memory/ARCH/
 */
int memory_arch_ask(struct dump *dump, struct dump_task *dt);
/* File ids of mapped files and of the executable; the entry for mm-PID.img (from the arena). */
int memory_save_mm(struct dump *dump, struct dump_task *dt, MmEntry **ret_mm);
/* Mappings of the inode @st, which has no path, belong to the descriptor that is file @id. */
int memory_mapping_is(struct dump *dump, const struct stat *st, uint32_t id);
/*
 * Tracking of writes (memory/tracking.h), for --track-mem and --prev-images-dir. In the images' transaction, before the tree is frozen:
 * the previous images, and whether this kernel can track at all.
 */
int memory_track_begin(struct dump *dump);
/* All mappings have been read, and all pids are known: what is known of every task. */
int memory_track(struct dump *dump);
/* There are no blockers: ends the tracking for older images, if pages are to be armed, and starts that for these. */
int memory_track_start(struct dump *dump);
/* The images are complete: nothing is an error any more. */
int memory_track_commit(struct dump *dump);
/* Is the mapping dt->maps.v[i], which is watched by userfaultfd (VMF_UW), watched by us? */
int memory_is_tracked(struct dump *dump, const struct dump_task *dt, size_t i, bool *ret);
/* The dump_criu_run_id of the previous images; "": not known. */
const char *memory_parent_run_id(const struct dump *dump);
/* Instead of memory_save_mm(): the mappings that are tracked, whose pages are then saved by memory_save_pages(), also while the task runs. */
int memory_pre_dump_mm(struct dump *dump, struct dump_task *dt, MmEntry **ret_mm);
/*
 * With --share-pages: finds out which pages processes of the tree share copy-on-write, while it is frozen, before any is saved. Each
 * is saved once.
 */
int memory_find_same(struct dump *dump);
/*
 * Without it: which pages are also those of the process that forked theirs, before any are saved. @of_copies: of processes that
 * have a snapshot; or of the others, which must be frozen. Fails only if the user interrupts it: it may know fewer.
 */
int memory_hint_same(struct dump *dump, bool of_copies);
/* Saves private pages to pagemap-PID.img and pages-N.img: from the snapshot if there is one. */
int memory_save_pages(struct dump *dump, struct dump_task *dt, const MmEntry *mm);
/* Lets the task resume before its pages are saved: none is made if that is not possible or not wanted. */
int memory_snapshot(struct dump *dump, struct dump_task *dt, const MmEntry *mm);
bool memory_has_snapshot(const struct dump_task *dt);
/*
 * The process of the snapshot, if it is a child of the task, which has to reap it when it is dropped (dump/copies.c);
 * or 0.
 */
pid_t memory_snapshot_child(const struct dump_task *dt);
/* Its pid as that process sees it. */
pid_t memory_snapshot_child_inside(const struct dump_task *dt);
void memory_drop_snapshot(struct dump_task *dt);
/* The same, but for its process, which is detached and waits for the guard (wire.h parasite_fork_state). */
void memory_leave_snapshot(struct dump_task *dt);
/*
 * With --page-server, which gets all pages of the dump: connects, before the tree is frozen; and waits until the server has
 * saved all of them.
 */
int memory_connect_server(struct dump *dump);
int memory_finish_server(struct dump *dump);
/* The dump is complete. */
int memory_tell_server(struct dump *dump);
/* Before and after all others: -ENOMEM; at the end, however the dump went, nothing of this module remains open. */
int memory_dump_begin(struct dump *dump);
void memory_dump_end(struct dump *dump);

/* Of one task, likewise. */
int memory_task_begin(struct dump *dump, struct dump_task *dt);
void memory_task_end(struct dump_task *dt);

/*
 * policies.c: which mappings have their own policy, by the commands of the visit. Needs dt->maps. @at: offset of the
 * prepared data in the arguments; @q: its first answer.
 */
size_t memory_policies_size(const struct dump_task *dt);
void memory_lay_policies(const struct dump_task *dt, struct parasite_policy_list *q);
int memory_take_policies(struct dump_task *dt, uint32_t at, struct parasite_policy_list *q);
bool memory_has_policies(const struct dump_task *dt);

/* policy.c: the memory policy of a thread or a mapping, as stored in images. */
struct policy_fields {
	bool is_set; /* the default is no policy */
	uint32_t mode;
	ProtobufCBinaryData nodes; /* of length 0 if there are none */
};
int memory_save_policy(struct dump *dump, const struct parasite_vma_policy *p, struct policy_fields *ret_fields);

/* ---- restore --------------------------------------------------------------------------- */

/* Checks mm and pagemap of a task; no side effect. */
int memory_load(struct restore *r, struct restore_task *rt);
/* available.c: -ENOMEM, logged, if the tree certainly needs more memory than this machine, or its control groups, have to spare. After every task is loaded. */
int memory_check_available(struct restore *r);
/* Decides which process loads which pages, and which are inherited. After every task is loaded. */
int memory_link(struct restore *r);
/* In the task, before it forks: stages the pages that it shares with children in memory. */
int memory_stage_shared(struct restore *r, struct restore_task *rt);
/* Do these fields describe a valid policy? */
bool memory_good_policy(uint32_t mode, const ProtobufCBinaryData *nodes);
/* For the restorer. *ret is NULL, with a warning, if this machine has none of the nodes. -ENOMEM if out of memory. */
int memory_lay_policy(struct wire_task *wire, const char *whose, uint32_t mode, const ProtobufCBinaryData *nodes,
		      uint64_t *ret);
/*
 * In the task, when it has forked its children and has the restorer's region: what does not depend on other tasks. It
 * compares pages with the image, so that nothing has to be read later that is there already.
 */
int memory_prepare(struct restore *r, struct restore_task *rt);
/* In the task, after its files: descriptors of mappings, plan for the restorer. */
int memory_hand_over(struct restore *r, struct restore_task *rt, struct wire_task *wire);
/* Finds space for @len bytes: the end of a range that neither the tasks' mappings nor ours use. */
int memory_find_hole(struct restore *r, struct restore_task *rt, uint64_t len, uint64_t *ret_addr);
