/* SPDX-License-Identifier: GPL-2.0-only */
/* Finding a tracker, and what it is asked for. */
#include "memory/tracker.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/bits.h"
#include "base/cleanup.h"
#include "kernel/proc_pid.h"
#include "memory/tracker_table.h"
#include "util/fds.h"

#define KILL_WAIT_MS 10000

/* It cannot be changed; look_at() tells whose it is. */
static int read_table(int table, struct tracker *k)
{
	struct tracker_table head;
	struct stat st;
	int err;

	if ((fcntl(table, F_GET_SEALS) & TRACKER_SEALS) != TRACKER_SEALS)
		return -EBADMSG;
	err = pread_exact(table, &head, sizeof(head), 0);
	if (!err && (memcmp(head.magic, TRACKER_MAGIC, sizeof(head.magic)) || head.version != TRACKER_VERSION))
		err = -EBADMSG;
	if (!err && fstat(table, &st))
		err = -errno;
	if (!err && (uint64_t)st.st_size != sizeof(head) + head.nr * sizeof(struct kept))
		err = -EBADMSG;
	if (!err)
		err = array_reserve(&k->kept, head.nr);
	if (!err)
		err = pread_exact(table, k->kept.v, head.nr * sizeof(struct kept), sizeof(head));
	if (err)
		return err;
	k->kept.n = head.nr;
	memcpy(k->run_id, head.run_id, sizeof(k->run_id));
	k->run_id[RUN_ID_SIZE - 1] = '\0';
	return 0;
}

/* By a name that anyone can have, so nothing but what the kernel says about it counts: the user, and the seals of the table. */
static int look_at(const struct proc *p, struct tracker *k)
{
	_cleanup_proc_status_ struct proc_status status = { 0 };
	_cleanup_close_ int table = -1;
	int err;

	k->pid = p->pid;
	k->pidfd = sys_pidfd_open(p->pid, 0);
	if (k->pidfd < 0)
		return k->pidfd;
	/* All of them: a program with the set-user-ID bit runs as another user, and was started by its own. */
	err = proc_status_read(p, &status);
	if (err)
		return err;
	for (size_t i = 0; i < ARRAY_SIZE(status.uid); i++)
		if (status.uid[i] != geteuid())
			return -EPERM;
	table = sys_pidfd_getfd(k->pidfd, TRACKER_TABLE_FD);
	return table < 0 ? table : read_table(table, k);
}

static void forget(struct tracker *k)
{
	cleanup_close(&k->pidfd);
	array_free(&k->kept);
}

static int add_if_tracker(pid_t pid, struct tracker_array *to)
{
	_cleanup_proc_ struct proc p = PROC_CLOSED;
	struct tracker k = { .pidfd = -1 };
	char comm[16];
	int err;

	if (proc_open(pid, &p) || proc_comm(&p, comm) || strcmp(comm, TRACKER_NAME))
		return 0;
	if (look_at(&p, &k)) {
		forget(&k);
		return 0;
	}
	err = array_add(to, k);
	if (err)
		forget(&k);
	return err;
}

int trackers_find(struct tracker_array *to)
{
	_cleanup_proc_ struct proc self = PROC_CLOSED;
	struct pid_array pids = { 0 };
	int err = proc_open_self(&self);

	if (!err)
		err = proc_pids(&self, &pids);
	for (size_t i = 0; !err && i < pids.n; i++)
		err = add_if_tracker(pids.v[i], to);
	array_free(&pids);
	return err;
}

void trackers_free(struct tracker_array *trackers)
{
	struct tracker *k;

	array_for_each(k, trackers)
		forget(k);
	array_free(trackers);
}

const struct kept *tracker_has(const struct tracker *k, pid_t pid, uint64_t start_time)
{
	const struct kept *kept;

	array_for_each(kept, &k->kept)
		if (kept->pid == pid && kept->start_time == start_time)
			return kept;
	return NULL;
}

int tracker_get(const struct tracker *k, const struct kept *kept)
{
	return sys_pidfd_getfd(k->pidfd, kept->fd);
}

int tracker_kill(struct tracker *k)
{
	struct pollfd end = { .fd = k->pidfd, .events = POLLIN };
	int n, err = sys_pidfd_send_signal(k->pidfd, SIGKILL);

	if (err && err != -ESRCH)
		return err;
	do
		n = poll(&end, 1, KILL_WAIT_MS);
	while (n < 0 && errno == EINTR);
	k->ended = n == 1;
	return n == 1 ? 0 : -ETIMEDOUT;
}
