/* SPDX-License-Identifier: GPL-2.0-only */
/* Mounts that are attached nowhere. */
#ifndef TEST_DETACHED_H
#define TEST_DETACHED_H
#include "mounts.h"
#include <sys/syscall.h>

#ifndef MOUNT_ATTR__ATIME
#define MOUNT_ATTR__ATIME 0x00000070
#endif

/* Only by a copy can be seen what @fd shows (Linux 6.15). */
static inline void detached_need_copies(int fd)
{
	int copy = (int)syscall(SYS_open_tree, fd, "", OPEN_TREE_CLONE | AT_EMPTY_PATH);

	if (copy < 0)
		test_skip("this kernel copies no mount that is attached nowhere: such mounts are refused");
	close(copy);
}

/* Of a directory or file; private. */
static inline int detached_copy(const char *path, uint64_t set)
{
	struct mount_attr attr = { .attr_set = set, .attr_clr = MOUNT_ATTR__ATIME, .propagation = MS_PRIVATE };
	int fd = (int)syscall(SYS_open_tree, AT_FDCWD, path, OPEN_TREE_CLONE);

	if (fd < 0)
		test_skip("open_tree(2) makes no copy of a directory or file");
	need(!syscall(SYS_mount_setattr, fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)), "mount_setattr (errno %d)",
	     errno);
	detached_need_copies(fd);
	return fd;
}

/* So that nothing of the test's changes if a child attaches what they share. */
static inline void detached_own_mounts(void)
{
	need(!unshare(CLONE_NEWNS) && !mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "namespace");
}

/* A mount that nothing keeps cannot be attached. */
static inline void detached_attach(int fd, const char *name)
{
	need(!syscall(SYS_move_mount, fd, "", AT_FDCWD, test_path(name), MOVE_MOUNT_F_EMPTY_PATH),
	     "attach it to %s (errno %d)", name, errno);
}

/* @fd is attached to "point", where @name then has @text; @options: a part of how mountinfo shows that. */
static inline void detached_shows(int fd, const char *name, const char *text, const char *options)
{
	char mounts[1 << 16] = "";

	detached_attach(fd, "point");
	check(has_text(test_path(name), text), "attached: %s", name);
	check(read_file("/proc/self/mountinfo", mounts, sizeof(mounts)) > 0 && strstr(mounts, options), "options: %s",
	      options);
	need(!umount2(test_path("point"), MNT_DETACH), "umount");
}

/* A file with "hello", at the third character. */
static inline void detached_file_continues(int file)
{
	char buf[16] = "";

	check(lseek(file, 0, SEEK_CUR) == 2 && pread(file, buf, 15, 2) == 3 && !strcmp(buf, "llo"),
	      "position, content");
}

#endif
