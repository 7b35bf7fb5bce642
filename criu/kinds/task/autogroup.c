// SPDX-License-Identifier: GPL-2.0-only
/* CPU share of a session relative to other sessions: the nice value in /proc/PID/autogroup. sched(7) */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include "autogroup.h"
#include "core_image.h"
#include "kinds/kinds.h"
#include "run/dump.h"
#include "run/restore.h"
#include "run/user_ns.h"
#include "util/fds.h"
#include "util/log.h"
#include "util/proc_root.h"

enum { NICE_MIN = -20, NICE_MAX = 19 };

/*
 * Created by setsid(2), and kept after the leader has exited: saved with the topmost task of the session in the tree.
 * The session in which the root was forked must not be changed.
 */
static bool represents_session(const struct task *t)
{
	return t->sid == t->pid || (t->parent && t->parent->sid != t->sid);
}

static int autogroup_save(struct dump *dump, struct dump_task *task, CoreEntry *core)
{
	_cleanup_buf_ struct buf text = { 0 };
	int nice = 0;

	if (!represents_session(&task->t))
		return 0;
	int err = proc_text(&task->proc, "autogroup", &text);
	/* The kernel may be built, or booted, without autogroups: then the file is empty. */
	if (err == -ENOENT || (!err && !text.len))
		return 0;
	if (err)
		return fail(err, "read /proc/%d/autogroup", task->t.host_pid);
	if (sscanf(text.data, "/autogroup-%*d nice %d", &nice) != 1)
		return fail(-EBADMSG, "/proc/%d/autogroup contains %.*s", task->t.host_pid, (int)text.len, text.data);
	core->tc->has_autogroup_nice = nice != 0;
	core->tc->autogroup_nice = nice;
	return 0;
}

static int autogroup_load(struct restore *r, struct restore_task *task)
{
	const TaskCoreEntry *tc = task->core->tc;

	if (tc->autogroup_nice < NICE_MIN || tc->autogroup_nice > NICE_MAX)
		return core_refuse(task->t.pid, "tc.autogroup_nice %d", tc->autogroup_nice);
	return 0;
}

/* Set by several tasks of the session, but there is only one value for all of them. */
static int set_nice(const struct restore_task *task, const char *path)
{
	const TaskCoreEntry *tc = task->core->tc;
	char text[16];

	if (!tc->has_autogroup_nice)
		return 0;
	snprintf(text, sizeof(text), "%d", tc->autogroup_nice);
	int err = write_text(proc_root(), path, text);
	if (err == -ENOENT || err == -EINVAL) {
		log_warn("session %d had the autogroup nice value %d: this kernel has no autogroups", task->t.sid,
			 tc->autogroup_nice);
		return 0;
	}
	return err ? fail(err, "set the nice value of the session's autogroup to %d", tc->autogroup_nice) : 0;
}

/* In a user namespace of its own it may not make it smaller: sched_outside.c */
static int autogroup_apply(struct restore *r, struct restore_task *task)
{
	return restore_in_user_ns(task) ? 0 : set_nice(task, "self/autogroup");
}

int autogroup_set_outside(const struct restore_task *task)
{
	char path[64];

	snprintf(path, sizeof(path), "%d/autogroup", task->t.host_pid);
	return set_nice(task, path);
}

const struct task_kind autogroup_kind = {
	.name = "autogroup",
	.save = autogroup_save,
	.load = autogroup_load,
	.apply = autogroup_apply,
};
