// SPDX-License-Identifier: GPL-2.0-only
#include "lazy/members.h"
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>
#include "base/bits.h"
#include "kernel/proc_pid.h"
#include "util/fds.h"
#include "util/log.h"

struct member {
	pid_t pid;
	int pidfd;
	bool ours; /* opened here */
};
ARRAY_OF(members, struct member);

/* Nothing has to come from the source, so that most likely it will end: the tree runs all the same. */
static int miss(struct lazy_daemon *d, const struct lazy_arrival *arrival, int err)
{
	const char *advice = "start criu lazy-pages and criu restore in the same pid namespace";

	if (atomic_load(&d->journal->live) != LAZY_SOURCE_UNKNOWN)
		return fail(err, "process %d, which restore has sent, cannot be found: %s", abs(arrival->pid), advice);
	log_warn(
		"process %d, which restore has sent, cannot be found: if its tree continues at the source, it is not ended here (%s)",
		abs(arrival->pid), advice);
	atomic_fetch_add(&d->journal->out_of_reach, 1);
	return 0;
}

int member_arrived(struct lazy_daemon *d, struct lazy_arrival *arrival)
{
	pid_t pid = journal_arrived_pid(arrival);
	int fd;

	/* The tool, which is none of them, reports those that have no memory of their own: they have parents or peers that have. */
	if (!atomic_load(&d->journal->live) || arrival->has_pidfd || (arrival->pid < 0 && pid == d->tool))
		return 0;
	fd = pid > 0 ? sys_pidfd_open(pid, 0) : -ESRCH;
	if (fd < 0)
		return miss(d, arrival, fd);
	arrival->pidfd = fd;
	atomic_store(&arrival->has_pidfd, 1);
	return 0;
}

static bool lives(int pidfd)
{
	return !sys_pidfd_send_signal(pidfd, 0);
}

/* A pid from a list of children may belong to another process by now: one that is not a child of @parent. */
static void add_child(struct members *all, pid_t pid, pid_t parent)
{
	_cleanup_proc_ struct proc proc = PROC_CLOSED;
	struct member m = { pid, sys_pidfd_open(pid, 0), true };
	struct proc_stat stat;

	if (m.pidfd < 0)
		return;
	if (proc_open(pid, &proc) || proc_stat_read(&proc, &stat) || stat.ppid != parent || !lives(m.pidfd) ||
	    array_add(all, m))
		close(m.pidfd);
}

static void add_descendants(struct members *all)
{
	for (size_t i = 0; i < all->n; i++) {
		_cleanup_proc_ struct proc proc = PROC_CLOSED;
		struct pid_array children = { 0 };
		const pid_t parent = all->v[i].pid;

		/* If it lives, it has had its pid all the time. */
		if (!proc_open(parent, &proc) && !proc_children(&proc, &children) && lives(all->v[i].pidfd))
			for (size_t c = 0; c < children.n; c++)
				add_child(all, children.v[c], parent);
		array_free(&children);
	}
}

static void signal_all(struct lazy_daemon *d, int sig)
{
	struct members all = { 0 };

	for (size_t i = 0; i < d->arrived; i++) {
		struct lazy_arrival *a = &d->journal->arrivals[i];
		struct member m = { journal_arrived_pid(a), a->pidfd, false };

		if (atomic_load(&a->has_pidfd) && array_add(&all, m))
			sys_pidfd_send_signal(m.pidfd, sig);
	}
	add_descendants(&all);
	for (size_t i = 0; i < all.n; i++) {
		sys_pidfd_send_signal(all.v[i].pidfd, sig);
		if (all.v[i].ours)
			close(all.v[i].pidfd);
	}
	array_free(&all);
}

void members_kill(struct lazy_daemon *d)
{
	/* A process that is stopped forks no more. */
	signal_all(d, SIGSTOP);
	signal_all(d, SIGKILL);
}
