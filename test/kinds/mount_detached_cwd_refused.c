// SPDX-License-Identifier: GPL-2.0-only
/*
 * A working directory on a mount that is attached nowhere, a copy of the root: its path leads to the attached one. Refused by name, and
 * the process keeps running.
 * test: refused="/ is the root of a mount that is attached nowhere"
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
	struct stat own, then;
	int fd;

	test_init(argc, argv);
	fd = copy_of_root();
	need(!fchdir(fd) && !close(fd) && !stat(".", &then), "enter it");
	checkpoint_here();
	check(!stat(".", &own) && own.st_ino == then.st_ino && own.st_dev == then.st_dev, "another directory");
	test_done();
}
