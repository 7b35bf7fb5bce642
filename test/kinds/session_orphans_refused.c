// SPDX-License-Identifier: GPL-2.0-only
/*
 * An orphan that the root has adopted, and the leader of its session, which has become a subreaper and has adopted one, too.
 * test: refused=pid.[0-9]+.*has.adopted.such.a.process,.too
 */
#include "checkpoint.h"
#include <sys/prctl.h>
#include <sys/wait.h>

static int orphaned(void *arg)
{
	const pid_t before = getppid();

	task_ready(arg);
	while (getppid() == before)
		sleep_ms(1);
	wait_go(0);
	return 0;
}

static int lost(void *arg)
{
	fork_task(orphaned, arg);
	await_task(arg);
	return 0;
}

static int inner(void *arg)
{
	setsid();
	join_task(fork_task(lost, "second"));
	wait_go(0);
	return 0;
}

static int between(void *arg)
{
	pid_t pid = fork_task(inner, NULL);

	wait_go(0);
	join_task(pid);
	return 0;
}

static int leader(void *arg)
{
	setsid();
	join_task(fork_task(lost, "first"));
	need(!prctl(PR_SET_CHILD_SUBREAPER, 1), "subreaper");
	fork_task(between, NULL);
	await_task("second");
	sleep_ms(50);
	task_ready("leader");
	wait_go(0);
	while (wait(NULL) > 0)
		;
	return 0;
}

static int above(void *arg)
{
	pid_t pid = fork_task(leader, NULL);

	wait_go(0);
	join_task(pid);
	return 0;
}

int main(int argc, char **argv)
{
	int reaper = 0;

	test_init(argc, argv);
	need(!prctl(PR_SET_CHILD_SUBREAPER, 1), "subreaper");
	fork_task(above, NULL);
	await_task("leader");
	if (checkpoint_here())
		prctl(PR_SET_CHILD_SUBREAPER, 0);
	check(!prctl(PR_GET_CHILD_SUBREAPER, &reaper) && reaper, "no longer a subreaper");
	while (wait(NULL) > 0)
		;
	test_done();
}
