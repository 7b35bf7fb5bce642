// SPDX-License-Identifier: GPL-2.0-only
/*
 * A directory and a file that have been moved out of the directory that a mount, which is attached nowhere, is a copy of: /proc shows its
 * root instead. Refused by name, and the process keeps running.
 * test: refused="(?s)fd 31: / is on a mount that is attached nowhere, and has been moved out .*--external 'file.*fd 32: / is on a "
 */
#include "checkpoint.h"
#include <sys/mount.h>
#include <sys/syscall.h>

int main(int argc, char **argv)
{
	struct stat then[2], now;
	int copy, dir, file;

	test_init(argc, argv);
	need(!mkdir("one", 0755) && !mkdir("one/below", 0755) && !mkdir("other", 0755), "mkdir");
	write_file("one/file", "x");
	copy = (int)syscall(SYS_open_tree, AT_FDCWD, "one", OPEN_TREE_CLONE);
	if (copy < 0)
		test_skip("no detached copy of a directory can be made");
	if (syscall(SYS_open_tree, copy, "", OPEN_TREE_CLONE | AT_EMPTY_PATH) < 0)
		test_skip("this kernel copies no mount that is attached nowhere: such mounts are refused");
	dir = openat(copy, "below", O_RDONLY | O_DIRECTORY);
	file = openat(copy, "file", O_RDONLY);
	need(dup2(dir, 31) == 31 && dup2(file, 32) == 32 && !close(dir) && !close(file), "descriptors");
	need(!fstat(31, &then[0]) && !fstat(32, &then[1]), "fstat");
	need(!rename("one/below", "other/below") && !rename("one/file", "other/file"), "rename");
	checkpoint_here();
	for (int i = 0; i < 2; i++)
		check(!fstat(31 + i, &now) && now.st_ino == then[i].st_ino, "%d: another file", i);
	test_done();
}
