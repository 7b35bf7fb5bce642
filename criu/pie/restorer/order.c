// SPDX-License-Identifier: GPL-2.0-only
/*
 * Inside a task: no libc, no globals, direct system calls only. The order of the steps, for reasons explained in
 * restorer.h. Written out call by call: a table of functions would need relocations.
 */
#include <compel/pie.h>
#include <linux/sched.h>
#include "restorer.h"

int restorer_task_alone(struct wire_task *task)
{
	int err = restore_membarrier(task);

	err = err ? err : restore_sigactions(task);
	err = err ? err : restore_subreaper(task);
	err = err ? err : restore_label(task);
	return err;
}

int restorer_task_shared(struct wire_task *task)
{
	int err = restore_timers_create(task);

	/* No thread can be created afterwards, and the rights for it may be gone soon. */
	if (!err && task->unshare) {
		long unshared = sys_call1(__NR_unshare, task->unshare);

		err = unshared < 0 ? restorer_fail(task, unshared, "unshare namespaces for children") : 0;
	}
	if (!err && task->enter_fd >= 0) {
		long entered = sys_call2(__NR_setns, task->enter_fd, CLONE_NEWPID);

		err = entered < 0 ? restorer_fail(task, entered, "enter the pid namespace for children") : 0;
	}
	return err;
}

int restorer_thread(struct wire_thread *thread)
{
	int err = restore_personality(thread);

	/* The first thread's: threads_start(). */
	if (!err && thread->index)
		err = restore_name(thread);
	err = err ? err : arch_restore_early(thread);
	err = err ? err : restore_sched(thread);
	err = err ? err : restore_policy(thread);
	err = err ? err : restore_controls(thread);
	err = err ? err : restore_creds(thread);
	err = err ? err : restore_pdeath(thread);
	err = err ? err : restore_private_signals(thread);
	err = err ? err : restore_altstack(thread);
	err = err ? err : restore_futexes(thread);
	err = err ? err : restore_rseq(thread);
	err = err ? err : arch_restore_late(thread);
	return err;
}

int restorer_task_late(struct wire_task *task)
{
	int err = restore_mm_attributes(task);

	err = err ? err : restore_shared_signals(task);
	err = err ? err : restore_timers_arm(task);
	err = err ? err : restore_limits(task);
	return err;
}

int restorer_thread_last(struct wire_thread *thread)
{
	int err = seccomp_install(thread);

	return err ? err : restore_creds_finish(thread);
}
