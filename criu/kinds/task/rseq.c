// SPDX-License-Identifier: GPL-2.0-only
/*
 * Restartable sequences of a thread: the address of its struct rseq. rseq(2), ptrace(2) PTRACE_GET_RSEQ_CONFIGURATION
 */
#include "core_image.h"
#include "kinds/kinds.h"
#include "run/dump.h"
#include "run/restore.h"

enum {
	RSEQ_LEN_FIRST = 32, /* of the kernel's first version: the minimum that glibc registers */
	RSEQ_LEN_MAX = 4096,
};

static int rseq_save_thread(struct dump *dump, struct dump_task *task, struct dump_thread *thread, CoreEntry *core)
{
	const struct compel_snapshot *snapshot = &thread->snapshot;
	RseqEntry *e;

	if (!snapshot->rseq)
		return 0;
	e = dump_alloc(dump, sizeof(*e));
	if (!e)
		return no_memory("rseq");
	rseq_entry__init(e);
	e->rseq_abi_pointer = snapshot->rseq;
	e->rseq_abi_size = snapshot->rseq_size;
	e->signature = snapshot->rseq_signature;
	core->thread_core->rseq_entry = e;
	return 0;
}

static int rseq_load_thread(struct restore *r, struct restore_task *task, struct restore_thread *thread)
{
	const ThreadCoreEntry *tce = thread->core->thread_core;
	const RseqEntry *e = tce ? tce->rseq_entry : NULL;

	if (!e || !e->rseq_abi_pointer)
		return 0;
	if (e->rseq_abi_size < RSEQ_LEN_FIRST || e->rseq_abi_size > RSEQ_LEN_MAX)
		return core_refuse(thread->id.tid, "thread_core.rseq_entry.rseq_abi_size is %u", e->rseq_abi_size);
	if (e->rseq_abi_pointer % RSEQ_LEN_FIRST)
		return core_refuse(thread->id.tid, "thread_core.rseq_entry.rseq_abi_pointer 0x%lx is not aligned",
				   (unsigned long)e->rseq_abi_pointer);
	return 0;
}

static int rseq_hand_over_thread(struct restore *r, struct restore_task *task, struct restore_thread *thread,
				 struct wire_thread *wire)
{
	const RseqEntry *e = thread->core->thread_core->rseq_entry;

	if (!e)
		return 0;
	wire->rseq_ptr = e->rseq_abi_pointer;
	wire->rseq_size = e->rseq_abi_size;
	wire->rseq_sig = e->signature;
	return 0;
}

const struct task_kind rseq_kind = {
	.name = "rseq",
	.save_thread = rseq_save_thread,
	.load_thread = rseq_load_thread,
	.hand_over_thread = rseq_hand_over_thread,
};
