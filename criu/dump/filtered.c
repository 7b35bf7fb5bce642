/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Threads under seccomp(2) where their filters cannot be suspended for our code, nor read: both take the same right. There is no
 * other way: PTRACE_SECCOMP_GET_FILTER is the only interface that returns a filter.
 */
#include "dump/dump.h"
#include "kernel/proc_pid.h"
#include "run/dump.h"

/* The first thread under seccomp; 0: none. One that has exited meanwhile is none. */
static pid_t find_filtered(const struct dump_task *dt)
{
	struct pid_array tids = { 0 };
	pid_t found = 0;

	if (proc_threads(&dt->proc, &tids))
		return 0;
	for (size_t i = 0; !found && i < tids.n; i++) {
		_cleanup_proc_status_ struct proc_status status = { 0 };

		if (!proc_thread_status_read(&dt->proc, tids.v[i], &status) && status.seccomp && status.state != 'Z' &&
		    status.state != 'X')
			found = tids.v[i];
	}
	array_free(&tids);
	return found;
}

bool dump_filtered_blocker(struct dump *dump, const struct dump_task *dt)
{
	pid_t tid = rights_may(&dump->rights, RIGHT_READ_FILTERS) ? 0 : find_filtered(dt);

	if (tid)
		dump_blocker(
			dump, dt, -1,
			"thread %d is under seccomp: to run code in it, and to read its filters, %s: run criu as root, without a user "
			"namespace, or start the program without seccomp (podman run --security-opt seccomp=unconfined)",
			tid, rights_text(RIGHT_READ_FILTERS));
	return tid;
}
