// SPDX-License-Identifier: GPL-2.0-only
/*
 * Keys that nobody but a thread or a process has: keyrings(7). The kernel does not give every key out, so they cannot be
 * made again. Its session's keyring nobody can ask for without giving a process one that has none.
 */
#include "kinds/kinds.h"
#include "run/dump.h"

static int keyrings_survey(struct dump *dump, struct dump_task *task)
{
	for (size_t i = 0; i < task->nr_threads; i++) {
		const struct dump_thread *th = &task->threads[i];

		if (th->inside.process_keyring > 0)
			dump_blocker(
				dump, task, -1,
				"thread %d: has a process keyring (%d), whose keys cannot be saved: keep them in the user "
				"keyring (KEY_SPEC_USER_KEYRING), which stays",
				th->id.host_tid, th->inside.process_keyring);
		if (th->inside.thread_keyring > 0)
			dump_blocker(
				dump, task, -1,
				"thread %d: has a thread keyring (%d), whose keys cannot be saved: keep them in the user "
				"keyring (KEY_SPEC_USER_KEYRING), which stays",
				th->id.host_tid, th->inside.thread_keyring);
	}
	return 0;
}

const struct task_kind keyrings_kind = {
	.name = "keyrings",
	.survey = keyrings_survey,
};
