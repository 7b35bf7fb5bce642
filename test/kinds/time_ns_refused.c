// SPDX-License-Identifier: GPL-2.0-only
/*
 * A process that has unshared a time namespace for its children, and is in another one itself, while one that is none of its
 * descendants has entered that: refused, and both keep running.
 * test: refused=time.namespace.for.its.children.*none.of.its.descendants
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

static int sibling(void *arg)
{
	char path[64];
	struct stat own, then;

	snprintf(path, sizeof(path), "/proc/%d/ns/time_for_children", *(pid_t *)arg);
	need(!setns(open(path, O_RDONLY), CLONE_NEWTIME), "setns");
	need(!stat("/proc/self/ns/time", &then), "stat");
	checkpoint_task("sibling", 0);
	check(!stat("/proc/self/ns/time", &own) && own.st_ino == then.st_ino, "not in it any more");
	return 0;
}

int main(int argc, char **argv)
{
	pid_t pid, other;

	test_init(argc, argv);
	pid = fork_task(child, NULL);
	await_task("child");
	other = fork_task(sibling, &pid);
	await_task("sibling");
	checkpoint_here();
	join_task(other);
	join_task(pid);
	test_done();
}
