// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mounts of an automounter that is not in the tree, or not in the process group that may mount there: refused by name, also with
 * --enable-fs. The process keeps running.
 * test: options=--enable-fs=autofs refused="(?s)(?=.*mount \S+/alone is of type autofs, and its daemon is not in the tree)(?=.*mount \S+/stranger is of type autofs, and the process that reads its requests is not in the process group)"
 */
#include "checkpoint.h"
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>

static int mount_auto(const char *name, pid_t group)
{
	char options[96];
	int ends[2];

	need(!mkdir(name, 0755) && !pipe(ends), "pipe");
	snprintf(options, sizeof(options), "fd=%d,pgrp=%d,minproto=5,maxproto=5,indirect", ends[1], group);
	if (mount("auto", name, "autofs", 0, options))
		test_skip("this kernel has no autofs");
	close(ends[1]);
	return ends[0];
}

static int wait_there(void *arg)
{
	need(!setpgid(0, 0), "group");
	task_ready("other");
	for (;;)
		pause();
}

int main(int argc, char **argv)
{
	struct stat st;
	pid_t other;

	test_init(argc, argv);
	need(!unshare(CLONE_NEWNS) && !mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "namespace");
	other = fork_task(wait_there, NULL);
	await_task("other");
	close(mount_auto("alone", getpgrp()));
	mount_auto("stranger", other);
	checkpoint_here();
	check(!lstat("alone", &st) && !lstat("stranger", &st), "the mounts");
	kill(other, SIGKILL);
	waitpid(other, NULL, 0);
	test_done();
}
