// SPDX-License-Identifier: GPL-2.0-only
/*
 * Exited children that have not been waited for: by exit, by signals, leader and member of a group and a session.
 * test: flavours=host,container breaks=1 decode=yes user-root=host
 */
#include "checkpoint.h"
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

struct end {
	int exit_code, signo;
	bool own_group, own_session;
	pid_t pid;
};

static struct end ends[] = {
	{ .exit_code = 0 },
	{ .exit_code = 42 },
	{ .exit_code = 255 },
	{ .signo = SIGKILL },
	{ .signo = SIGTERM },
	{ .signo = 36 },
	{ .exit_code = 1, .own_group = true },
	{ .exit_code = 2, .own_session = true },
	{ .signo = SIGSEGV, .own_group = true },
};

static int exit_as(void *arg)
{
	struct end *e = arg;

	if (e->own_session)
		setsid();
	if (e->own_group)
		setpgid(0, 0);
	if (e->signo) {
		signal(e->signo, SIG_DFL);
		kill(getpid(), e->signo);
	}
	return e->exit_code;
}

static pid_t leader, member;

static int live_leader(void *arg)
{
	setpgid(0, 0);
	task_ready("leader");
	checkpoint_task("leads", 0);
	check(getpgid(0) == getpid(), "leads %d", getpgid(0));
	return 0;
}

static int dead_member(void *arg)
{
	setpgid(0, leader);
	return 7;
}

int main(int argc, char **argv)
{
	const int n = sizeof(ends) / sizeof(ends[0]);
	int status;
	siginfo_t si;

	test_init(argc, argv);
	for (int i = 0; i < n; i++)
		ends[i].pid = fork_task(exit_as, &ends[i]);
	leader = fork_task(live_leader, NULL);
	await_task("leader");
	member = fork_task(dead_member, NULL);
	for (int i = 0; i < n; i++)
		await_state(ends[i].pid, 'Z');
	await_state(member, 'Z');
	await_task("leads");

	if (checkpoint_here())
		waitpid(ends[1].pid, NULL, 0);

	for (int i = 0; i < n; i++)
		check(state_of(ends[i].pid) == 'Z', "child %d is %c", i, state_of(ends[i].pid));
	check(getpgid(ends[6].pid) == ends[6].pid, "group of the dead leader");
	check(getsid(ends[7].pid) == ends[7].pid, "session of the dead leader");
	check(getpgid(member) == leader, "group of the dead member %d", getpgid(member));
	for (int i = 0; i < n; i++) {
		si.si_status = -1;
		check(!waitid(P_PID, ends[i].pid, &si, WEXITED | WNOWAIT) &&
			      si.si_status == (ends[i].signo ? ends[i].signo : ends[i].exit_code),
		      "waitid of %d: %d", i, si.si_status);
		check(waitpid(ends[i].pid, &status, 0) == ends[i].pid, "wait for %d", i);
		if (ends[i].signo)
			check(WIFSIGNALED(status) && WTERMSIG(status) == ends[i].signo, "%d: status %#x", i, status);
		else
			check(WIFEXITED(status) && WEXITSTATUS(status) == ends[i].exit_code, "%d: status %#x", i,
			      status);
	}
	check(waitpid(-leader, &status, 0) > 0, "wait for the group");
	check(waitpid(-leader, &status, 0) > 0, "wait for the group again");
	test_done();
}
