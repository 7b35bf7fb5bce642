// SPDX-License-Identifier: GPL-2.0-only
/*
 * A mount namespace of a child only: not implemented, refused by name.
 * test: refused="lives in another mount namespace than the root of the tree: nested"
 */
#include "checkpoint.h"
#include <sched.h>

static ino_t own(void)
{
	struct stat st = { 0 };

	need(!stat("/proc/self/ns/mnt", &st), "namespace");
	return st.st_ino;
}

static int child(void *arg)
{
	ino_t ino;

	need(!unshare(CLONE_NEWNS), "namespace");
	ino = own();
	checkpoint_task("child", 0);
	if (test_break())
		unshare(CLONE_NEWNS);
	check(own() == ino, "it is in another namespace");
	return 0;
}

int main(int argc, char **argv)
{
	pid_t pid;

	test_init(argc, argv);
	pid = fork_task(child, NULL);
	await_task("child");
	checkpoint_here();
	join_task(pid);
	test_done();
}
