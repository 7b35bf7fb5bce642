// SPDX-License-Identifier: GPL-2.0-only
/*
 * A namespace that is kept alive only by this descriptor is refused by name.
 * test: refused='fd.*\b300\b.*uts:\[\d+\]: a namespace that no process'
 */
#include "checkpoint.h"
#include <sched.h>

static int elsewhere(void *arg)
{
	need(!unshare(CLONE_NEWUTS), "unshare");
	task_ready("made");
	await_task("opened");
	return 0;
}

int main(int argc, char **argv)
{
	char path[64];
	pid_t pid;
	int fd;

	test_init(argc, argv);
	pid = fork_task(elsewhere, NULL);
	await_task("made");
	snprintf(path, sizeof(path), "/proc/%d/ns/uts", pid);
	fd = open(path, O_RDONLY);
	need(fd >= 0 && dup2(fd, 300) == 300 && !close(fd), "open %s", path);
	task_ready("opened");
	join_task(pid);
	if (checkpoint_here())
		close(300);
	check(!setns(300, CLONE_NEWUTS), "enter it");
	test_done();
}
