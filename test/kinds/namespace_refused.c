// SPDX-License-Identifier: GPL-2.0-only
/*
 * A task in its own namespace (UTS): not implemented, refused with the name of the namespace.
 * test: refused="lives in another uts namespace than the tool.*nsenter -t [0-9]+ --uts"
 */
#include "checkpoint.h"
#include <sched.h>

static int child(void *arg)
{
	char name[65] = "";

	need(!unshare(CLONE_NEWUTS) && !sethostname("elsewhere", 9), "namespace");
	checkpoint_task("child", 0);
	check(!gethostname(name, sizeof(name)) && !strcmp(name, test_break() ? "" : "elsewhere"), "host name %s", name);
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
