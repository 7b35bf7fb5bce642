// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "util/fds.h"
#include "util/output.h"
#include "util/proc_root.h"
#include "util/walk.h"

static bool is_ours(const struct stat *st)
{
	return st->st_uid == 0 || st->st_uid == geteuid();
}

/* Can other users create and remove names in it? A sticky directory protects our names, but not against new ones. */
static bool is_open_to_others(const struct stat *dir)
{
	return !is_ours(dir) || dir->st_mode & (S_IWGRP | S_IWOTH);
}

static int judge(void *arg, const struct walk_step *step)
{
	if (step->fd < 0 || !is_open_to_others(step->dir_st) || S_ISDIR(step->st->st_mode))
		return 0;
	if (S_ISREG(step->st->st_mode))
		return step->st->st_nlink > 1 ? -EPERM : 0;
	return is_ours(step->st) ? 0 : -EPERM;
}

/* Opens the existing file, or a new one: never one that replaces it in between. */
static int open_existing(int fd, int flags)
{
	struct stat st;
	int copy;

	if (fstat(fd, &st) < 0)
		return -errno;
	copy = proc_fd_open(fd, flags | O_WRONLY | O_NOCTTY);
	if (copy >= 0 && S_ISREG(st.st_mode) && ftruncate(copy, 0) < 0) {
		int err = -errno;

		close(copy);
		return err;
	}
	return copy;
}

static int open_once(int dirfd, const char *path, int flags)
{
	_cleanup_walk_ struct walk walk = { .root = AT_FDCWD, .follow_last = true, .judge = judge, .dir = -1 };
	_cleanup_close_ int fd = walk_path(&walk, dirfd, path);

	if (fd >= 0)
		return open_existing(fd, flags);
	if (fd != -ENOENT || walk.dir < 0)
		return fd;
	return open_at(walk.dir, walk.name, flags | O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
}

int output_open(int dirfd, const char *path, int append)
{
	int flags = append ? O_APPEND : 0, fd = open_once(dirfd, path, flags);

	/* It has been created in the meantime. */
	return fd == -EEXIST ? open_once(dirfd, path, flags) : fd;
}

int output_write(int dirfd, const char *path, const void *from, size_t len)
{
	_cleanup_close_ int fd = output_open(dirfd, path, 0);

	return fd < 0 ? fd : write_full(fd, from, len);
}

int output_remove(int dirfd, const char *path)
{
	_cleanup_walk_ struct walk walk = { .root = AT_FDCWD, .judge = judge, .dir = -1 };
	_cleanup_close_ int fd = walk_path(&walk, dirfd, path);

	if (fd < 0)
		return fd;
	return unlinkat(walk.dir, walk.name, 0) < 0 ? -errno : 0;
}

const char *output_error(int err)
{
	return err == -EPERM ?
		       "another user has put a link, a FIFO or a hard link to another file there: remove it, or use a "
		       "directory of your own" :
		       strerror(-err);
}
