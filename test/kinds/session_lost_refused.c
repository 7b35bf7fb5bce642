// SPDX-License-Identifier: GPL-2.0-only
/*
 * A session whose leader has exited, with two members: one was adopted, the parent of the other has begun a session of its own.
 * test: refused=pid.[0-9]+.*whose.leader.has.exited,.has.members.with.different.parents
 */
#include "checkpoint.h"
#include <sys/prctl.h>
#include <sys/wait.h>

static int member(void *arg)
{
	task_ready(arg);
	wait_go(0);
	return 0;
}

static int parent_of_one(void *arg)
{
	pid_t pid = fork_task(member, "second");

	await_task("second");
	need(setsid() > 0, "setsid");
	task_ready("parent");
	wait_go(0);
	join_task(pid);
	return 0;
}

static int leader(void *arg)
{
	need(setsid() > 0, "setsid");
	fork_task(member, "first");
	fork_task(parent_of_one, NULL);
	await_task("first");
	await_task("parent");
	return 0;
}

int main(int argc, char **argv)
{
	test_init(argc, argv);
	need(!prctl(PR_SET_CHILD_SUBREAPER, 1), "subreaper");
	join_task(fork_task(leader, NULL));
	checkpoint_here();
	while (wait(NULL) > 0)
		;
	test_done();
}
