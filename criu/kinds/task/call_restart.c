// SPDX-License-Identifier: GPL-2.0-only
/*
 * An interrupted system call that is restarted, unless a signal handler runs first: then it returns EINTR, depending on the call
 * and on SA_RESTART. The kernel decides that when the thread is resumed, by the error code that the call has returned: a
 * signal that arrives during a restore counts, too. signal(7)
 */
#include "core_image.h"
#include "kinds/kinds.h"
#include "run/dump.h"
#include "run/restore.h"
#include "util/log.h"

static int call_restart_save_thread(struct dump *dump, struct dump_task *task, struct dump_thread *thread,
				    CoreEntry *core)
{
	const struct compel_restart *restart = &thread->cpu.restart;
	ThreadCoreEntry *e = core->thread_core;

	e->has_restart_call = e->has_restart_code = restart->code != 0;
	e->restart_call = restart->code ? (uint32_t)restart->call : 0;
	e->restart_code = (uint32_t)restart->code;
	return 0;
}

static int call_restart_load_thread(struct restore *r, struct restore_task *task, struct restore_thread *thread)
{
	const ThreadCoreEntry *e = thread->core->thread_core;

	if (!e || !e->has_restart_call || !e->has_restart_code)
		return 0;
	if (compel_set_restart(&thread->cpu, e->restart_call, (int)e->restart_code))
		return core_refuse(
			thread->id.tid,
			"thread_core.restart_code %u, restart_call %u: the registers are not those of such a call",
			e->restart_code, e->restart_call);
	return 0;
}

const struct task_kind call_restart_kind = {
	.name = "call_restart",
	.save_thread = call_restart_save_thread,
	.load_thread = call_restart_load_thread,
};
