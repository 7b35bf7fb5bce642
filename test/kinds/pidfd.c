// SPDX-License-Identifier: GPL-2.0-only
/*
 * pidfd: of the task itself, of a child, of a task elsewhere in the tree, of a zombie.
 * test: boots=others breaks=1
 */
#include "checkpoint.h"
#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static int sleeper(void *arg)
{
	checkpoint_task("sleeper", 0);
	await_task("end");
	return 0;
}

static int peer(void *arg)
{
	int fd = (int)syscall(SYS_pidfd_open, *(pid_t *)arg, 0);

	need(fd >= 0, "pidfd_open");
	checkpoint_task("peer", 0);
	check(!syscall(SYS_pidfd_send_signal, fd, 0, NULL, 0), "signal 0 to the brother");
	return 0;
}

int main(int argc, char **argv)
{
	int self, kid, zombie_fd;
	pid_t pid, other, zombie;
	struct pollfd p;

	test_init(argc, argv);
	pid = fork_task(sleeper, NULL);
	other = fork_task(peer, &pid);
	zombie = fork();
	if (!zombie)
		_exit(3);
	self = (int)syscall(SYS_pidfd_open, getpid(), 0);
	kid = (int)syscall(SYS_pidfd_open, pid, O_NONBLOCK);
	zombie_fd = (int)syscall(SYS_pidfd_open, zombie, 0);
	need(self >= 0 && kid >= 0 && zombie_fd >= 0, "pidfd_open");
	await_state(zombie, 'Z');
	await_task("sleeper");
	await_task("peer");

	if (checkpoint_here())
		dup2(self, kid);

	check(fcntl(kid, F_GETFD) == FD_CLOEXEC && fcntl(kid, F_GETFL) & O_NONBLOCK, "flags");
	p = (struct pollfd){ .fd = kid, .events = POLLIN };
	check(!poll(&p, 1, 0), "the child has exited");
	check(!syscall(SYS_pidfd_send_signal, self, 0, NULL, 0), "signal 0 to ourselves");
	p.fd = zombie_fd;
	check(poll(&p, 1, 0) == 1 && p.revents & POLLIN, "the zombie is reported alive");
	join_task(other);
	task_ready("end");
	p.fd = kid;
	fcntl(kid, F_SETFL, 0);
	check(poll(&p, 1, 3000) == 1, "the exit of the child is not reported");
	siginfo_t si = { 0 };
	check(!waitid(P_PIDFD, (id_t)kid, &si, WEXITED) && si.si_pid == pid && !si.si_status,
	      "waitid: pid %d status %d", si.si_pid, si.si_status);
	check(waitpid(zombie, NULL, 0) == zombie, "zombie");
	test_done();
}
