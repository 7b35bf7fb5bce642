// SPDX-License-Identifier: GPL-2.0-only
#include "util/proc_root.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>
#include "util/fds.h"

static int root = -1;

int proc_root(void)
{
	/* An error must not be mistaken for AT_FDCWD, although open(2) does not return that number here. */
	if (root < 0) {
		int fd = open_at(AT_FDCWD, "/proc", O_PATH | O_DIRECTORY, 0);

		root = fd < 0 ? -1 : fd;
	}
	return root;
}

int proc_root_move_above(int min)
{
	int moved;

	if (proc_root() < 0)
		return -ENOENT;
	moved = move_fd_above(root, min);
	if (moved < 0)
		return moved;
	root = moved;
	return 0;
}

void proc_root_forget(void)
{
	root = -1;
}

const char *proc_fd_name(char buf[static PROC_FD_NAME_MAX], int fd)
{
	snprintf(buf, PROC_FD_NAME_MAX, "self/fd/%d", fd);
	return buf;
}

const char *proc_fd_path(char buf[static PROC_FD_NAME_MAX], int fd)
{
	snprintf(buf, PROC_FD_NAME_MAX, "/proc/self/fd/%d", fd);
	return buf;
}

int proc_fd_open(int fd, int flags)
{
	char name[PROC_FD_NAME_MAX];

	return open_at(proc_root(), proc_fd_name(name, fd), flags, 0);
}

ssize_t proc_fd_read_link(int fd, char *ret, size_t size)
{
	char name[PROC_FD_NAME_MAX];

	return read_link(proc_root(), proc_fd_name(name, fd), ret, size);
}

int proc_fd_link(int fd, int dir, const char *name)
{
	char from[PROC_FD_NAME_MAX];

	return linkat(proc_root(), proc_fd_name(from, fd), dir, name, AT_SYMLINK_FOLLOW) < 0 ? -errno : 0;
}
