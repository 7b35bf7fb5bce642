/* SPDX-License-Identifier: GPL-2.0-only */
#include "dump/beacon.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>
#include "kernel/pid_ns.h"
#include "util/fds.h"

#define END_MS 1000

int beacon_prepare(struct beacon *b)
{
	return pipe2(b->ready, O_CLOEXEC) < 0 ? -errno : 0;
}

/* Nobody writes: it ends with the last process that could. It has no other descriptor of ours. */
static _Noreturn void shine(int life)
{
	char byte;

	if (life > 0)
		close_range(0, (unsigned)life - 1, 0);
	close_range((unsigned)life + 1, ~0u, 0);
	while (read(life, &byte, 1) < 0 && errno == EINTR)
		;
	_exit(0);
}

static int report(struct beacon *b)
{
	const pid_t pids[2] = { b->pid, b->inside };
	int err = write(b->ready[1], pids, sizeof(pids)) == sizeof(pids) ? 0 : -EPIPE;

	close(b->ready[1]);
	return err;
}

int beacon_start(struct beacon *b, int pid_ns)
{
	int life[2], err;

	if (pipe2(life, O_CLOEXEC) < 0)
		return -errno;
	/* It ends with the namespace, whose init waits until somebody has waited for it. */
	signal(SIGCHLD, SIG_IGN);
	if (setns(pid_ns, CLONE_NEWPID) < 0)
		return -errno;
	b->pid = fork();
	if (!b->pid) {
		close(life[1]);
		shine(life[0]);
	}
	if (b->pid < 0)
		return -errno;
	/* The other end stays open until we exit. */
	close(life[0]);
	err = pid_ns_inner(pid_ns, b->pid, &b->inside);
	return err ? err : report(b);
}

int beacon_await(struct beacon *b)
{
	pid_t pids[2];

	close(b->ready[1]);
	b->ready[1] = -1;
	if (read(b->ready[0], pids, sizeof(pids)) != sizeof(pids))
		return -ECHILD;
	b->pid = pids[0];
	b->inside = pids[1];
	b->pidfd = sys_pidfd_open(b->pid, 0);
	return b->pidfd < 0 ? b->pidfd : 0;
}

void beacon_end(const struct beacon *b)
{
	struct pollfd ended = { .fd = b->pidfd, .events = POLLIN };

	if (b->pidfd >= 0 && !sys_pidfd_send_signal(b->pidfd, SIGKILL))
		poll(&ended, 1, END_MS);
}

void beacon_close(struct beacon *b)
{
	for (int i = 0; i < 2; i++)
		if (b->ready[i] >= 0)
			close(b->ready[i]);
	if (b->pidfd >= 0)
		close(b->pidfd);
	*b = BEACON_NONE;
}
