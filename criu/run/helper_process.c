// SPDX-License-Identifier: GPL-2.0-only
#include "run/helper_process.h"
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "util/fds.h"
#include "util/proc_root.h"

#ifndef CLONE_PIDFD
#define CLONE_PIDFD 0x00001000
#endif

static int cmp_int(const void *a, const void *b)
{
	int x = *(const int *)a, y = *(const int *)b;

	return (x > y) - (x < y);
}

static int close_others(const struct helper_job *job)
{
	unsigned int from = 0;

	qsort(job->keeps, job->nr_keeps, sizeof(*job->keeps), cmp_int);
	for (size_t i = 0; i < job->nr_keeps; i++) {
		unsigned int kept = (unsigned int)job->keeps[i];
		int err = kept > from ? sys_close_range(from, kept - 1, 0) : 0;

		if (err < 0)
			return err;
		from = kept + 1;
	}
	proc_root_forget();
	return sys_close_range(from, ~0u, 0);
}

static __attribute__((noreturn)) void run(const struct helper_job *job)
{
	syscall(SYS_setsid);
	syscall(SYS_exit_group, job->keeps && close_others(job) < 0 ? 127 : job->run(job->arg));
	__builtin_unreachable();
}

int helper_start(struct helper_process *h, const struct helper_job *job)
{
	unsigned long flags = CLONE_PIDFD | (job->shares_fds ? CLONE_FILES : 0);
	sigset_t all, was;
	int pidfd = -1, err;
	pid_t pid;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &was);
	pid = (pid_t)syscall(SYS_clone, flags, NULL, &pidfd, NULL, NULL);
	if (!pid)
		run(job);
	err = pid < 0 ? -errno : 0;
	sigprocmask(SIG_SETMASK, &was, NULL);
	if (!err)
		*h = (struct helper_process){ pid, pidfd };
	return err;
}

static void forget(struct helper_process *h)
{
	close(h->pidfd);
	*h = HELPER_NONE;
}

bool helper_has_ended(struct helper_process *h)
{
	if (!h->pid)
		return true;
	if (waitpid(h->pid, NULL, __WALL | WNOHANG) != h->pid)
		return false;
	forget(h);
	return true;
}

int helper_wait(struct helper_process *h)
{
	int status = 0;

	if (!h->pid)
		return 0;
	while (waitpid(h->pid, &status, __WALL) < 0 && errno == EINTR)
		;
	forget(h);
	return status;
}

void helper_end(struct helper_process *h, int ms)
{
	struct pollfd end = { .fd = h->pidfd, .events = POLLIN };
	int n;

	if (!h->pid)
		return;
	do
		n = poll(&end, 1, ms);
	while (n < 0 && errno == EINTR);
	if (n)
		helper_wait(h);
	else
		helper_abandon(h);
}

void helper_kill(struct helper_process *h)
{
	if (!h->pid)
		return;
	syscall(SYS_kill, h->pid, SIGKILL);
	helper_wait(h);
}

void helper_abandon(struct helper_process *h)
{
	if (!h->pid)
		return;
	syscall(SYS_kill, h->pid, SIGKILL);
	forget(h);
}
