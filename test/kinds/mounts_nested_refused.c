// SPDX-License-Identifier: GPL-2.0-only
/*
 * The root is in the mount namespace of the tool, and a child in one of its own, with a mount that is a peer of one of the
 * tool's: refused by name.
 * test: refused=mount..+shared.is.shared.with.mounts.outside
 */
#include "checkpoint.h"
#include <sched.h>
#include <sys/mount.h>

static int child(void *arg)
{
	need(!unshare(CLONE_NEWNS), "mount namespace (errno %d)", errno);
	need(!mount(NULL, "/", NULL, MS_PRIVATE, NULL), "private (errno %d)", errno);
	checkpoint_task("child", 0);
	need(!mount("in", test_path("shared/in"), "tmpfs", 0, NULL), "mount (errno %d)", errno);
	task_ready("mounted");
	return 0;
}

int main(int argc, char **argv)
{
	struct stat outer, inner;
	pid_t pid;

	test_init(argc, argv);
	need(!mkdir(test_path("shared"), 0700) && !mount("shared", test_path("shared"), "tmpfs", 0, NULL) &&
		     !mount(NULL, test_path("shared"), NULL, MS_SHARED, NULL) && !mkdir(test_path("shared/in"), 0700),
	     "shared mount (errno %d)", errno);
	pid = fork_task(child, NULL);
	await_task("child");
	if (checkpoint_here())
		mount(NULL, test_path("shared"), NULL, MS_PRIVATE, NULL);
	await_task("mounted");
	need(!stat(test_path("shared"), &outer) && !stat(test_path("shared/in"), &inner), "stat");
	check(outer.st_dev != inner.st_dev, "no peers any more");
	join_task(pid);
	umount2(test_path("shared/in"), MNT_DETACH);
	umount2(test_path("shared"), MNT_DETACH);
	test_done();
}
