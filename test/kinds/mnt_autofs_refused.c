// SPDX-License-Identifier: GPL-2.0-only
/*
 * An autofs mount, whose daemon is a process of the tree: refused by name, also with --enable-fs, which would mount it with the number
 * of a descriptor of criu. The process keeps running.
 * test: options=--enable-fs=autofs refused="mount \S+/auto is of type autofs, the daemon that mounts on access is connected"
 */
#include "checkpoint.h"
#include <sched.h>
#include <sys/mount.h>

int main(int argc, char **argv)
{
	struct stat st;
	char options[96];
	int ends[2];

	test_init(argc, argv);
	need(!unshare(CLONE_NEWNS) && !mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "namespace");
	need(!mkdir("auto", 0755) && !pipe(ends), "pipe");
	snprintf(options, sizeof(options), "fd=%d,pgrp=%d,minproto=5,maxproto=5,indirect", ends[1], getpgrp());
	if (mount("auto", "auto", "autofs", 0, options))
		test_skip("this kernel has no autofs");
	checkpoint_here();
	check(!lstat("auto", &st), "the mount");
	test_done();
}
