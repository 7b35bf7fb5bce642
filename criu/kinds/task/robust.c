// SPDX-License-Identifier: GPL-2.0-only
/* The list of robust futexes of a thread. get_robust_list(2) */
#include "core_image.h"
#include "kinds/kinds.h"
#include "run/dump.h"
#include "run/restore.h"

enum { ROBUST_LIST_LEN = 24 }; /* the only length that the kernel accepts */

static int robust_save_thread(struct dump *dump, struct dump_task *task, struct dump_thread *thread, CoreEntry *core)
{
	core->thread_core->futex_rla = thread->robust_list;
	core->thread_core->futex_rla_len = (uint32_t)thread->robust_list_len;
	return 0;
}

static int robust_load_thread(struct restore *r, struct restore_task *task, struct restore_thread *thread)
{
	const ThreadCoreEntry *tce = thread->core->thread_core;

	if (tce && tce->futex_rla && tce->futex_rla_len != ROBUST_LIST_LEN)
		return core_refuse(thread->id.tid, "thread_core.futex_rla_len is %u, not %d", tce->futex_rla_len,
				   ROBUST_LIST_LEN);
	return 0;
}

static int robust_hand_over_thread(struct restore *r, struct restore_task *task, struct restore_thread *thread,
				   struct wire_thread *wire)
{
	wire->robust_list = thread->core->thread_core->futex_rla;
	wire->robust_list_len = ROBUST_LIST_LEN;
	return 0;
}

const struct task_kind robust_kind = {
	.name = "robust",
	.save_thread = robust_save_thread,
	.load_thread = robust_load_thread,
	.hand_over_thread = robust_hand_over_thread,
};
