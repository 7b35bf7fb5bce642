// SPDX-License-Identifier: GPL-2.0-only
/*
 * Keys that only one thread, process or session possesses: keyrings(7). The kernel does not return the payload of every
 * key, so they cannot be recreated. Programs may have a session keyring without knowing: PAM and systemd create one.
 */
#include <sys/syscall.h>
#include <unistd.h>
#include "core_image.h"
#include "kinds/kinds.h"
#include "run/dump.h"
#include "run/restore.h"
#include "util/log.h"

#define REQKEY_LAST 7u /* KEY_REQKEY_DEFL_REQUESTOR_KEYRING */

/* A restore from this session gives them our session keyring. */
static void warn_of_session(const struct dump_task *task)
{
	int32_t serial = task->parasite ? task->parasite->session_keyring : 0;
	const struct dump_task *parent = task->t.parent ? dump_task_of(task->t.parent) : NULL;

	if (serial <= 0 || (parent && parent->parasite && parent->parasite->session_keyring == serial))
		return;
	if (syscall(SYS_request_key, "keyring", "_ses", NULL, 0) != serial)
		log_warn(
			"pid %d: has its own session keyring (%d): it will be restored with that of criu restore, without "
			"the keys in it",
			task->t.host_pid, serial);
}

static int keyrings_survey(struct dump *dump, struct dump_task *task)
{
	for (size_t i = 0; i < task->nr_threads; i++) {
		const struct dump_thread *th = &task->threads[i];

		if (th->parasite.process_keyring > 0)
			dump_blocker(
				dump, task, -1,
				"thread %d: has a process keyring (%d), whose keys cannot be saved: keep them in the user "
				"keyring (KEY_SPEC_USER_KEYRING), which is preserved",
				th->id.host_tid, th->parasite.process_keyring);
		if (th->parasite.thread_keyring > 0)
			dump_blocker(
				dump, task, -1,
				"thread %d: has a thread keyring (%d), whose keys cannot be saved: keep them in the user "
				"keyring (KEY_SPEC_USER_KEYRING), which is preserved",
				th->id.host_tid, th->parasite.thread_keyring);
	}
	warn_of_session(task);
	return 0;
}

/* The destination keyring of keys requested by the kernel: request_key(2). 0: the default. */
static int keyrings_save_thread(struct dump *dump, struct dump_task *task, struct dump_thread *thread, CoreEntry *core)
{
	core->thread_core->has_reqkey_keyring = thread->parasite.reqkey_keyring > 0;
	core->thread_core->reqkey_keyring =
		thread->parasite.reqkey_keyring > 0 ? (uint32_t)thread->parasite.reqkey_keyring : 0;
	return 0;
}

static int keyrings_load_thread(struct restore *r, struct restore_task *task, struct restore_thread *thread)
{
	const ThreadCoreEntry *e = thread->core->thread_core;

	return e && e->reqkey_keyring > REQKEY_LAST ?
		       core_refuse(thread->id.tid, "thread_core.reqkey_keyring %u", e->reqkey_keyring) :
		       0;
}

static int keyrings_hand_over_thread(struct restore *r, struct restore_task *task, struct restore_thread *thread,
				     struct wire_thread *wire)
{
	wire->reqkey_keyring = (int32_t)thread->core->thread_core->reqkey_keyring;
	return 0;
}

const struct task_kind keyrings_kind = {
	.name = "keyrings",
	.survey = keyrings_survey,
	.save_thread = keyrings_save_thread,
	.load_thread = keyrings_load_thread,
	.hand_over_thread = keyrings_hand_over_thread,
};
