// SPDX-License-Identifier: GPL-2.0-only
/*
 * A thread that sleeps for a time, or waits with a limit, goes on for what was left of it. The kernel remembers that
 * where no other process finds it: read out of its memory (kmem/timed_call.h), and given to it again by entering the
 * call anew. Where that cannot be done, or the tool is killed before, the call returns EINTR. restart_syscall(2)
 */
#include <errno.h>
#include <string.h>
#include "kinds/kinds.h"
#include "run/dump.h"
#include "run/restore.h"
#include "util/log.h"

static int timed_call_save_thread(struct dump *dump, struct dump_task *task, struct dump_thread *thread,
				  CoreEntry *core)
{
	if (!thread->call.limited)
		return 0;
	core->thread_core->has_call_left_ns = true;
	core->thread_core->call_left_ns = thread->call.left_ns;
	return 0;
}

static int timed_call_load_thread(struct restore *r, struct restore_task *task, struct restore_thread *thread)
{
	const ThreadCoreEntry *tce = thread->core->thread_core;
	int nr = tce && tce->has_call_left_ns ? compel_give_up_call(&thread->cpu) : -ENODATA;

	if (nr == -EINVAL)
		log_warn("core-%d.img: call_left_ns: the thread is not before a call with a limit", thread->id.tid);
	thread->timed_call = nr < 0 ? 0 : nr;
	return 0;
}

static void timed_call_let_go_thread(struct restore *r, struct restore_task *task, struct restore_thread *thread)
{
	int err = !thread->timed_call ? 0 :
					compel_shorten_call(thread->id.host_tid, thread->timed_call,
							    thread->core->thread_core->call_left_ns);

	if (err)
		log_info("thread %d: the call that it was in returns EINTR: %s", thread->id.tid, strerror(-err));
}

const struct task_kind timed_call_kind = {
	.name = "timed_call",
	.save_thread = timed_call_save_thread,
	.load_thread = timed_call_load_thread,
	.resume_thread = timed_call_let_go_thread,
};
