// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mounts that are attached nowhere, held by descriptors: a copy of the root, whose path leads to the attached one, and a new file
 * system. Both are refused by name, and the process keeps running.
 * test: refused="(?s)fd 3: / is the root of a mount that is attached nowhere.*fd \d+: / is the root of a mount"
 */
#include "checkpoint.h"
#include <sys/mount.h>
#include <sys/syscall.h>

static int copy_of_root(void)
{
	int fd = (int)syscall(SYS_open_tree, AT_FDCWD, "/", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

	if (fd < 0)
		test_skip("no detached copy of the root directory can be made");
	return fd;
}

int main(int argc, char **argv)
{
	int fs, held[2];
	struct stat st;

	test_init(argc, argv);
	held[0] = copy_of_root();
	fs = (int)syscall(SYS_fsopen, "tmpfs", 0);
	need(fs >= 0 && !syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0), "tmpfs");
	held[1] = (int)syscall(SYS_fsmount, fs, 0, 0);
	need(held[1] >= 0 && !close(fs), "fsmount");
	checkpoint_here();
	check(!fstat(held[0], &st) && !fstat(held[1], &st), "the mounts");
	test_done();
}
