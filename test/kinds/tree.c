// SPDX-License-Identifier: GPL-2.0-only
/*
 * A tree: root with four children, each with two; a chain 30 deep. Each process checks its parent.
 * test: flavours=host,container,user,owned,rootless breaks=1 decode=yes user-root=host,pid,container,user,owned
 */
#include "checkpoint.h"
#include <sys/syscall.h>
#include <sys/wait.h>

static int depth_wanted = 30;

static int leaf(void *arg)
{
	pid_t self = getpid(), parent = getppid();
	char name[32];

	snprintf(name, sizeof(name), "leaf%d", self);
	checkpoint_task(name, 0);
	check(getpid() == self && syscall(SYS_gettid) == self, "pid %d was %d", getpid(), self);
	check(getppid() == parent, "parent %d was %d", getppid(), parent);
	return 0;
}

static int branch(void *arg)
{
	pid_t kids[2], self = getpid(), parent = getppid();
	char name[32];

	for (int i = 0; i < 2; i++)
		kids[i] = fork_task(leaf, NULL);
	for (int i = 0; i < 2; i++) {
		snprintf(name, sizeof(name), "leaf%d", kids[i]);
		await_task(name);
	}
	snprintf(name, sizeof(name), "branch%d", self);
	checkpoint_task(name, 0);
	check(getpid() == self && getppid() == parent, "branch");
	for (int i = 0; i < 2; i++)
		join_task(kids[i]);
	check(waitpid(-1, NULL, 0) < 0, "unexpected child");
	return 0;
}

static int chain(void *arg)
{
	int depth = *(int *)arg + 1;
	pid_t kid = 0, parent = getppid();

	if (depth < depth_wanted)
		kid = fork_task(chain, &depth);
	if (!kid)
		checkpoint_task("chain", 0);
	else
		wait_go(0);
	check(getppid() == parent, "depth %d: parent %d was %d", depth, getppid(), parent);
	if (kid)
		join_task(kid);
	return 0;
}

int main(int argc, char **argv)
{
	pid_t kids[4], deep, parent;
	char name[32];
	int depth = 0, brk;

	test_init(argc, argv);
	parent = getppid();
	for (int i = 0; i < 4; i++)
		kids[i] = fork_task(branch, NULL);
	deep = fork_task(chain, &depth);
	for (int i = 0; i < 4; i++) {
		snprintf(name, sizeof(name), "branch%d", kids[i]);
		await_task(name);
	}
	await_task("chain");
	brk = checkpoint_here();
	if (brk)
		fork_task(leaf, NULL);
	check(getppid() == parent, "parent of the root");
	for (int i = 0; i < 4; i++)
		join_task(kids[i]);
	join_task(deep);
	check(waitpid(-1, NULL, 0) < 0, "unexpected child");
	test_done();
}
