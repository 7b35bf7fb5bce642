/* SPDX-License-Identifier: GPL-2.0-only */
/* The order of kinds. Rows with a required place have a comment. */
#include "kinds/kinds.h"
#include "base/bits.h"
#include "memory/segments.h"
#include "memory/sysv.h"

const struct fd_kind
	*const fd_kinds[] = {
		&memfd_kind, /* before regular: it is a regular file to stat(2) */
		&tty_kind, /* before regular: a character device */
		&tun_kind, /* before regular: a character device */
		&ns_kind, /* before regular: a namespace may have a path */
		&pipe_kind,	&fifo_kind,	&eventfd_kind,	   &eventpoll_kind, &timerfd_kind,
		&signalfd_kind, &inotify_kind,	&fanotify_kind,	   &bpfmap_kind,    &mqueue_kind,
		&pidfd_kind,	&unix_kind,	&regular_kind,	   &inet_kind,	    &netlink_kind,
		&packet_kind,	&io_uring_kind, &unsupported_kind, /* last: accepts everything, to report its type */
		NULL,
	};
const struct task_kind *const task_kinds[] = {
	&terminal_kind,
	&cpu_kind,
	&creds_kind,
	&signals_kind,
	&timers_kind,
	&limits_kind,
	&sched_kind,
	&autogroup_kind,
	&keyrings_kind,
	&attributes_kind,
	&robust_kind,
	&rseq_kind,
	&sem_undo_kind,
	&landlock_kind,
	&pid_children_kind,
	&time_children_kind,
	&apart_kind,
	&cgroup_kind,
	&lsm_kind,
	&seccomp_kind,
	&call_restart_kind,
	&timed_call_kind,
	&autofs_kind,
	&fs_kind, /* last: apply changes root and directory, through which others find their files */
	NULL,
};

/* clang-format off */
const struct run_kind *const run_kinds[] = {
	&cpuinfo_run, /* first: what this CPU lacks is said before any record is looked at */
	&user_ns_run, /* before other namespaces: it finds out who owns them */
	&pid_ns_run, /* before mounts: which of them a proc shows */
	&mnt_ns_run, /* before all that opens files at birth */
	&detached_run,
	&fs_run,
	&time_ns_run,
	&uts_ns_run,
	&ipc_ns_run,
	&segments_run,
	&sysv_run, /* before memfd: its files may be such segments */
	&memfd_run,
	&tty_run,
	&tun_run,
	&pipe_run,
	&inotify_run,
	&fanotify_run,
	&mqueue_run, &mqueue_notify_run, &io_uring_run,
	&unix_run,
	&regular_run,
	&inet_run,
	&net_ns_run, /* after inet: connections are locked before packets can arrive */
	&packet_run,
	&seccomp_run,
	&locks_run, /* after all that opens and closes files in ready: closing drops locks */
	&sem_undo_run,
	&sched_run,
	&cgroup_run, /* last: before_commit changes groups that others use */
	NULL,
};
/* clang-format on */

_Static_assert(ARRAY_SIZE(fd_kinds) + ARRAY_SIZE(task_kinds) + ARRAY_SIZE(run_kinds) <= KIND_ROWS,
	       "the slots of struct dump and struct restore");

size_t kind_row(const void *kind)
{
	size_t row = 0;

	for (const struct fd_kind *const *k = fd_kinds; *k; k++, row++)
		if (*k == kind)
			return row;
	for (const struct task_kind *const *k = task_kinds; *k; k++, row++)
		if (*k == kind)
			return row;
	for (const struct run_kind *const *k = run_kinds; *k && *k != kind; k++)
		row++;
	return row;
}

const struct run_kind *kind_of_namespaces(enum ns_type type)
{
	const struct run_kind *kind;

	run_for_each_kind(kind)
		if (kind->namespaces & BIT(type))
			return kind;
	return NULL;
}
