// SPDX-License-Identifier: GPL-2.0-only
/*
 * kernel.pid_max (Linux 6.14) and vm.memfd_noexec (6.3): /proc/sys shows, to any process, those of its own pid namespace.
 * They are compared with those of a new namespace, as a restore creates one: others are not restored yet.
 */
#include "kinds/ns/pid_settings.h"
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include "base/bits.h"
#include "kernel/ns_run.h"
#include "kernel/proc_pid.h"
#include "run/dump.h"
#include "util/fds.h"
#include "util/log.h"
#include "util/proc_root.h"

static const char *const names[] = { "kernel/pid_max", "vm/memfd_noexec" };

/* -1: this kernel has none. */
struct settings {
	long v[ARRAY_SIZE(names)];
};

static int read_own(void *arg)
{
	struct settings *s = arg;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		_cleanup_buf_ struct buf text = { 0 };
		char path[64];
		int err;

		snprintf(path, sizeof(path), "sys/%s", names[i]);
		err = read_file(proc_root(), path, &text);
		if (err < 0 && err != -ENOENT)
			return err;
		s->v[i] = err < 0 ? -1 : strtol(text.data, NULL, 10);
	}
	return 0;
}

/* A process is in the namespace that its parent entered. */
static int read_in_child(void *arg)
{
	int result = 0, err = ns_run_in(NULL, 0, read_own, arg, &result);

	return err ? err : result;
}

int pid_settings_survey(struct dump *dump, const struct dump_task *task)
{
	struct settings of_tree, of_new;
	_cleanup_close_ int fd = proc_ns_open(&task->proc, PROC_NS_PID);
	int result = 0, err = fd < 0 ? fd : ns_run_in(&fd, 1, read_in_child, &of_tree, &result);

	if (!err && !result)
		err = ns_run_in_new(NULL, 0, CLONE_NEWPID, read_in_child, &of_new, &result);
	err = err ? err : result;
	if (err)
		return fail(err, "read the settings of the pid namespace of process %d", task->t.host_pid);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (of_tree.v[i] != of_new.v[i])
			dump_blocker(
				dump, task, -1,
				"/proc/sys/%s of its pid namespace is %ld, where a new namespace has %ld: that is not implemented; set it to that value",
				names[i], of_tree.v[i], of_new.v[i]);
	return 0;
}
