// SPDX-License-Identifier: GPL-2.0-only
/*
 * A thread that sleeps for a time, or waits with a limit, goes on for what was left of it. The kernel remembers that
 * where no other process finds it: read out of its memory (kernel/timed_call.h), and given to it again by entering the
 * call anew. Without it (no BPF, images of CRIU) such a call starts again with its whole time. restart_syscall(2)
 */
#include <string.h>
#include "kinds/kinds.h"
#include "run/dump.h"
#include "run/restore.h"
#include "util/log.h"

static int timed_call_save_thread(struct dump *dump, struct dump_task *task, struct dump_thread *thread,
				  CoreEntry *core)
{
	if (!thread->call.limited || !compel_waits_anew(&thread->seen, &thread->cpu))
		return 0;
	core->thread_core->has_call_left_ns = true;
	core->thread_core->call_left_ns = thread->call.left_ns;
	return 0;
}

static void timed_call_let_go_thread(struct restore *r, struct restore_task *task, struct restore_thread *thread)
{
	const ThreadCoreEntry *tce = thread->core->thread_core;
	int err = tce && tce->has_call_left_ns ? compel_shorten_call(thread->id.host_tid, tce->call_left_ns) : 0;

	if (err)
		log_info("thread %d: its call starts again with its whole time: %s", thread->id.tid, strerror(-err));
}

const struct task_kind timed_call_kind = {
	.name = "timed_call",
	.save_thread = timed_call_save_thread,
	.let_go_thread = timed_call_let_go_thread,
};
