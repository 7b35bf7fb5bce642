// SPDX-License-Identifier: GPL-2.0-only
/*
 * A task in its own namespace (mounts): not implemented, refused with the name of the namespace.
 * test: refused="lives in another mnt namespace than the tool.*nsenter -t [0-9]+ --mnt"
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
