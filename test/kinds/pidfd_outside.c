// SPDX-License-Identifier: GPL-2.0-only
/*
 * pidfds of a running process outside the tree: two of it, one of them in a child; one as a thread (PIDFD_THREAD);
 * watched by an epoll.
 * test: boots=others breaks=2 ignore=anon_inode:.pidfd
 */
#include "checkpoint.h"
#include <poll.h>
#include <sys/epoll.h>
#include <sys/syscall.h>

static int outside;

static int child(void *arg)
{
	struct stat a, b;

	checkpoint_task("child", 0);
	check(!syscall(SYS_pidfd_send_signal, outside, 0, NULL, 0), "signal 0 from the child");
	check(!fstat(outside, &a) && !fstat(*(int *)arg, &b) && a.st_ino == b.st_ino, "refer to two processes");
	return 0;
}

static long pid_of(int fd)
{
	char path[64], text[512], *at;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	read_file(path, text, sizeof(text));
	at = strstr(text, "\nPid:");
	return at ? atol(at + 5) : -2;
}

int main(int argc, char **argv)
{
	struct epoll_event e = { .events = EPOLLIN }, seen;
	int again, thread, ep, brk;
	struct pollfd p;
	pid_t pid;

	test_init(argc, argv);
	outside = (int)syscall(SYS_pidfd_open, 1, 0);
	again = (int)syscall(SYS_pidfd_open, 1, O_NONBLOCK);
	thread = (int)syscall(SYS_pidfd_open, 1, O_EXCL);
	if (thread < 0)
		thread = (int)syscall(SYS_pidfd_open, 1, 0);
	need(outside >= 0 && again >= 0 && thread >= 0, "pidfd_open");
	pid = fork_task(child, &again);
	ep = epoll_create1(0);
	need(!epoll_ctl(ep, EPOLL_CTL_ADD, outside, &e), "epoll");
	await_task("child");

	brk = checkpoint_here();
	if (brk == 1)
		dup2(ep, thread);
	if (brk == 2)
		dup2((int)syscall(SYS_pidfd_open, getpid(), 0), outside);

	check(pid_of(outside) == 1 && pid_of(again) == 1 && pid_of(thread) == 1, "of %ld %ld %ld", pid_of(outside),
	      pid_of(again), pid_of(thread));
	p = (struct pollfd){ .fd = outside, .events = POLLIN };
	check(!poll(&p, 1, 0) && !epoll_wait(ep, &seen, 1, 0), "it has exited");
	check(fcntl(again, F_GETFL) & O_NONBLOCK && !(fcntl(outside, F_GETFL) & O_NONBLOCK), "flags");
	check(!syscall(SYS_pidfd_send_signal, thread, 0, NULL, 0), "signal 0");
	join_task(pid);
	test_done();
}
