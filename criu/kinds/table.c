/* SPDX-License-Identifier: GPL-2.0-only */
/* The order of kinds. A row that must stand where it stands says why. */
#include "kinds/kinds.h"
#include "base/bits.h"

const struct fd_kind *const fd_kinds[] = {
	&memfd_kind, /* before regular: it is a regular file to stat(2) */
	&tty_kind, /* before regular: a character device */
	&tun_kind, /* before regular: a character device */
	&ns_kind, /* before regular: a namespace may have a path */
	&pipe_kind,	&fifo_kind,   &eventfd_kind,  &eventpoll_kind,	 &timerfd_kind, &signalfd_kind, &inotify_kind,
	&fanotify_kind, &bpfmap_kind, &mqueue_kind,   &pidfd_kind,	 &unix_kind,	&regular_kind,	&inet_kind,
	&netlink_kind,	&packet_kind, &io_uring_kind, &unsupported_kind, /* last: takes everything, to say what it is */
	NULL,
};
_Static_assert(ARRAY_SIZE(fd_kinds) <= FD_KINDS_MAX, "the slots of struct dump and struct restore");

size_t fd_kind_row(const struct fd_kind *kind)
{
	size_t row = 0;

	while (fd_kinds[row] && fd_kinds[row] != kind)
		row++;
	return row;
}

const struct task_kind *const task_kinds[] = {
	&terminal_kind, &cpu_kind,     &creds_kind,	 &signals_kind,	 &timers_kind,
	&limits_kind,	&sched_kind,   &autogroup_kind,	 &keyrings_kind, &attributes_kind,
	&robust_kind,	&rseq_kind,    &sem_undo_kind,	 &landlock_kind, &apart_kind,
	&lsm_kind,	&seccomp_kind, &timed_call_kind, &fs_kind, /* last: apply changes root and directory, by which others find their files */
	NULL,
};
