// SPDX-License-Identifier: GPL-2.0-only
/*
 * A process that has unshared a time namespace for its children, and is in another one itself: refused, and it keeps
 * running.
 * test: refused=time.namespace.for.its.children
 */
#include "checkpoint.h"
#include <sched.h>

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif

static int child(void *arg)
{
	struct stat own, next;

	if (unshare(CLONE_NEWTIME))
		test_skip("no time namespaces");
	checkpoint_task("child", 0);
	if (test_break())
		setns(open("/proc/self/ns/time", O_RDONLY), CLONE_NEWTIME);
	check(!stat("/proc/self/ns/time", &own) && !stat("/proc/self/ns/time_for_children", &next) &&
		      own.st_ino != next.st_ino,
	      "both are the same");
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
