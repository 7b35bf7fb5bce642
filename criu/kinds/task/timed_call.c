// SPDX-License-Identifier: GPL-2.0-only
/*
 * A thread that sleeps, or waits with a timeout, continues with the remaining time. The kernel stores it where no other
 * process can access it: it is read from kernel memory (kmem/timed_call.h), and passed again by restarting the call. If
 * that is not possible, or the tool is killed before, the call returns EINTR. restart_syscall(2)
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
		log_warn("core-%d.img: call_left_ns: the thread is not about to make a call with a timeout",
			 thread->id.tid);
	thread->timed_call = nr < 0 ? 0 : nr;
	return 0;
}

static void timed_call_resume_thread(struct restore *r, struct restore_task *task, struct restore_thread *thread)
{
	int err = !thread->timed_call ? 0 :
					compel_shorten_call(thread->id.host_tid, thread->timed_call,
							    thread->core->thread_core->call_left_ns);

	if (err)
		log_info("thread %d: its interrupted call returns EINTR: %s", thread->id.tid, strerror(-err));
}

const struct task_kind timed_call_kind = {
	.name = "timed_call",
	.save_thread = timed_call_save_thread,
	.load_thread = timed_call_load_thread,
	.resume_thread = timed_call_resume_thread,
};
