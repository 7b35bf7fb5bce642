// SPDX-License-Identifier: GPL-2.0-only
/*
 * A directory and a file below the root of a read-only copy of a mount, which is attached nowhere: their paths lead to the writable
 * ones. Both are refused by name, and the process keeps running.
 * test: refused="(?s)fd \d+: \S+/dir leads to another .*fd \d+: \S+/dir/file leads to another "
 */
#include "checkpoint.h"
#include <limits.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>

int main(int argc, char **argv)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY };
	struct statvfs st;
	int copy, held[2];
	char path[PATH_MAX + 16];

	test_init(argc, argv);
	need(!mkdir("dir", 0755), "mkdir");
	write_file("dir/file", "x");
	need(getcwd(path, PATH_MAX), "getcwd");
	copy = (int)syscall(SYS_open_tree, AT_FDCWD, "/", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
	if (copy < 0 || syscall(SYS_mount_setattr, copy, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof(attr)))
		test_skip("no detached copy of the root directory can be made");
	strcat(path, "/dir");
	held[0] = openat(copy, path + 1, O_RDONLY | O_DIRECTORY);
	held[1] = openat(held[0], "file", O_RDONLY);
	need(held[0] >= 0 && held[1] >= 0 && !close(copy), "open");
	checkpoint_here();
	for (int i = 0; i < 2; i++)
		check(!fstatvfs(held[i], &st) && st.f_flag & ST_RDONLY, "%d: it is writable", i);
	test_done();
}
