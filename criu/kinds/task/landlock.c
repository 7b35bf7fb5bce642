// SPDX-License-Identifier: GPL-2.0-only
/*
 * Landlock: an irrevocable restriction of a thread. The kernel does not export the rules, so it is refused, unless criu
 * itself is in the same domain: then a restore by it has the same effect.
 *
 * A thread that restricts itself has no_new_privs, or CAP_SYS_ADMIN. For the former, kernel memory is read; for the
 * latter, mount(2) is tried in the parasite: if it fails, kernel memory is read, too; if that cannot be read, the failure
 * counts where the thread may mount. Not detected: one that had CAP_SYS_ADMIN, but has neither it nor
 * no_new_privs now.
 */
#include <errno.h>
#include <string.h>
#include "base/cleanup.h"
#include "kernel/ns_user.h"
#include "kmem/landlock.h"
#include "kinds/kinds.h"
#include "run/dump.h"
#include "util/log.h"

#define ADVICE "cannot be saved: run the program without them, or run criu inside the same domain"

struct landlock_dump {
	bool is_there;
	struct landlock_reader *reader; /* NULL: not opened yet, or: */
	int unreadable;
	bool warned;
};

static void close_reader(void *reader)
{
	landlock_reader_close(reader);
}

static struct landlock_dump *state_of(struct dump *dump)
{
	struct landlock_dump *data = *dump_kind_data(dump, &landlock_kind);

	if (!data) {
		data = *dump_kind_data(dump, &landlock_kind) = dump_alloc(dump, sizeof(*data));
		if (data)
			data->is_there = landlock_is_there();
	}
	return data;
}

static int open_reader(struct dump *dump, struct landlock_dump *state)
{
	if (state->reader || state->unreadable)
		return state->unreadable;
	state->unreadable = landlock_reader_open(&state->reader);
	if (!state->unreadable && arena_defer(&dump->arena, close_reader, state->reader)) {
		close_reader(state->reader);
		state->reader = NULL;
		state->unreadable = -ENOMEM;
	}
	return state->unreadable;
}

/* CAP_SYS_ADMIN counts in the mount namespaces that its user namespace, or one below, owns. */
static bool may_mount(const struct dump *dump, const struct dump_task *task)
{
	_cleanup_close_ int user = -1, mnt = -1;

	if (dump->rights.initial_user_ns && !task->ns[NS_USER])
		return true;
	user = proc_ns_open(&task->proc, PROC_NS_USER);
	mnt = proc_ns_open(&task->proc, PROC_NS_MNT);
	return user < 0 || mnt < 0 || ns_user_owns(user, mnt);
}

/* From kernel memory; if that cannot be read, from the result of mount(2). */
static int find_domain(struct dump *dump, struct landlock_dump *state, struct dump_task *task,
		       const struct dump_thread *th, bool *ret_confined)
{
	_cleanup_proc_ struct proc proc = PROC_CLOSED;
	int err = open_reader(dump, state);

	*ret_confined = th->parasite.mount_refused && may_mount(dump, task);
	if (!err)
		err = proc_open_thread(&task->proc, th->id.host_tid, &proc);
	return err ? err : landlock_differs(state->reader, proc.dir, ret_confined);
}

static void check_thread(struct dump *dump, struct landlock_dump *state, struct dump_task *task,
			 const struct dump_thread *th)
{
	bool confined;
	int err;

	if (!th->parasite.mount_refused && !th->status.no_new_privs)
		return;
	err = find_domain(dump, state, task, th, &confined);
	if (confined && !err)
		dump_blocker(dump, task, -1, "thread %d: is confined by Landlock rules, which " ADVICE,
			     th->id.host_tid);
	else if (confined)
		dump_blocker(
			dump, task, -1,
			"thread %d: may not mount, though it has CAP_SYS_ADMIN: it seems to be confined by Landlock "
			"rules, which " ADVICE,
			th->id.host_tid);
	else if (err && !state->warned)
		log_warn("thread %d: has %s; whether it is also confined by Landlock rules, which a restore would not "
			 "preserve, cannot be determined (BPF): %s",
			 th->id.host_tid,
			 th->status.no_new_privs ? "no_new_privs" :
						   "CAP_SYS_ADMIN in its user namespace, which may not mount here",
			 strerror(-err));
	state->warned |= err != 0;
}

static int landlock_survey(struct dump *dump, struct dump_task *task)
{
	struct landlock_dump *state = state_of(dump);

	if (!state)
		return fail(-ENOMEM, "landlock");
	for (size_t i = 0; state->is_there && !dump_is_check(dump) && i < task->nr_threads; i++)
		check_thread(dump, state, task, &task->threads[i]);
	return 0;
}

const struct task_kind landlock_kind = {
	.name = "landlock",
	.survey = landlock_survey,
};
