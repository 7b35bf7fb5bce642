// SPDX-License-Identifier: GPL-2.0-only
/*
 * pidfds of exited processes: killed, exited normally; two of the same process; one open in a child, one in flight; one
 * of a leader as a thread (PIDFD_THREAD); all watched by an epoll.
 * test: breaks=2 decode=yes ignore=anon_inode:.pidfd
 */
#include "checkpoint.h"
#include <poll.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

struct info {
	uint64_t mask, cgroup;
	uint32_t pid, tgid, ppid, ids[8];
	int32_t exit_code;
};
#define GET_INFO _IOWR(0xFF, 11, struct info)
#define EXIT (1ull << 3)

static int killed, holder_revents;

static int holder(void *arg)
{
	struct pollfd p = { .fd = killed, .events = POLLIN };

	checkpoint_task("holder", 0);
	holder_revents = poll(&p, 1, 0);
	check(holder_revents == 1 && p.revents & POLLIN, "still alive for the holder");
	return 0;
}

static int gone(int status, int *ret_again)
{
	pid_t pid = fork();
	int fd;

	if (!pid) {
		if (status < 256)
			_exit(status);
		raise(SIGKILL);
	}
	fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (ret_again)
		*ret_again = (int)syscall(SYS_pidfd_open, pid, O_NONBLOCK);
	need(fd >= 0 && waitpid(pid, NULL, 0) == pid, "waitpid");
	return fd;
}

/* Kernels before 6.15 do not report it. */
static void check_exit_status(int fd, int status, int before)
{
	struct info info = { .mask = EXIT };

	if (before < 0)
		return;
	check(!ioctl(fd, GET_INFO, &info) && info.mask & EXIT && info.exit_code == status, "status 0x%x (not 0x%x)",
	      info.exit_code, status);
}

int main(int argc, char **argv)
{
	int again, ended, self, pass[2], ep, has_info, brk;
	struct epoll_event e = { .events = EPOLLIN }, seen[8];
	struct info info = { .mask = EXIT };
	struct stat a, b;
	pid_t pid;

	test_init(argc, argv);
	killed = gone(256, &again);
	ended = gone(7, NULL);
	self = (int)syscall(SYS_pidfd_open, getpid(), O_EXCL);
	if (self < 0)
		self = (int)syscall(SYS_pidfd_open, getpid(), 0);
	has_info = ioctl(ended, GET_INFO, &info);
	if (!(info.mask & EXIT))
		has_info = -1;
	pid = fork_task(holder, NULL);
	need(!socketpair(AF_UNIX, SOCK_DGRAM, 0, pass), "socketpair");
	ep = epoll_create1(0);
	for (int i = 0; i < 4; i++) {
		const int of[] = { killed, again, ended, self };

		e.data.fd = of[i];
		need(!epoll_ctl(ep, EPOLL_CTL_ADD, of[i], &e), "epoll");
	}
	need(epoll_wait(ep, seen, 8, 0) == 3, "epoll");
	await_task("holder");

	brk = checkpoint_here();
	if (brk == 1)
		dup2(self, ended);
	if (brk == 2)
		dup2(ended, again);

	check(epoll_wait(ep, seen, 8, 0) == 3, "epoll");
	check(!fstat(killed, &a) && !fstat(again, &b) && a.st_ino == b.st_ino, "refer to two processes");
	check(!fstat(ended, &b) && a.st_ino != b.st_ino, "refer to one process");
	check(fcntl(again, F_GETFL) & O_NONBLOCK && !(fcntl(killed, F_GETFL) & O_NONBLOCK), "flags");
	check(syscall(SYS_pidfd_send_signal, killed, 0, NULL, 0) < 0 && errno == ESRCH, "it is alive");
	check_exit_status(killed, SIGKILL, has_info);
	check_exit_status(again, SIGKILL, has_info);
	check_exit_status(ended, 7 << 8, has_info);
	check(!syscall(SYS_pidfd_send_signal, self, 0, NULL, 0), "signal 0 to ourselves");
	join_task(pid);
	test_done();
}
