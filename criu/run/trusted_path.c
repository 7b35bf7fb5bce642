// SPDX-License-Identifier: GPL-2.0-only
#include "run/trusted_path.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "run/opener.h"
#include "run/path.h"
#include "run/restore.h"
#include "util/fds.h"
#include "util/proc_root.h"
#include "util/walk.h"

struct trust {
	const struct audience *to;
	char *why;
};

static bool is_roots(const struct stat *st)
{
	return st->st_uid == 0 || st->st_uid == geteuid();
}

static bool in_group(const struct opener *o, gid_t gid)
{
	for (size_t i = 0; i < o->nr_groups; i++)
		if (o->groups[i] == gid)
			return true;
	return o->fsgid == gid;
}

/*
 * The group bits are also the mask of an access control list: acl(5). If it cannot be read, assume that there is one.
 */
static bool has_acl(int fd)
{
	char path[PROC_FD_NAME_MAX];
	ssize_t size = getxattr(proc_fd_path(path, fd), "system.posix_acl_access", NULL, 0);

	return size > 0 || (size < 0 && errno != ENODATA && errno != EOPNOTSUPP);
}

static bool can_write(const struct trust *t, const struct walk_step *step)
{
	mode_t mode = step->dir_st->st_mode;

	if (mode & S_IWOTH)
		return true;
	if (!(mode & S_IWGRP))
		return false;
	if (!t->to)
		return true;
	for (size_t i = 0; i < t->to->n; i++)
		if (in_group(t->to->openers[i], step->dir_st->st_gid))
			return true;
	return has_acl(step->dir);
}

#define FUSE_SUPER_MAGIC_ 0x65735546

static unsigned file_system_of(int fd)
{
	struct statfs fs;

	return fstatfs(fd, &fs) ? 0 : (unsigned)fs.f_type;
}

static int distrust(const struct trust *t, const struct walk_step *step, const char *what)
{
	char dir[PATH_MAX] = "a directory on its path";

	if (proc_fd_read_link(step->dir, dir, sizeof(dir)) < 0)
		snprintf(dir, sizeof(dir), "a directory on its path");
	snprintf(t->why, TRUST_WHY_MAX, "%s %s", dir, what);
	return -EACCES;
}

static int judge(void *arg, const struct walk_step *step)
{
	const struct trust *t = arg;
	unsigned fs = file_system_of(step->dir);

	/*
	 * Names there are created by the kernel, whoever owns the directories; and on FUSE a user's program determines
	 * the owner.
	 */
	if (fs == PROC_SUPER_MAGIC || fs == SYSFS_MAGIC)
		return 0;
	if (fs == FUSE_SUPER_MAGIC_)
		return distrust(t, step, "is served by a program (FUSE)");
	if (!is_roots(step->dir_st))
		return distrust(t, step, "is not owned by root");
	if (!can_write(t, step))
		return 0;
	/* In a sticky directory, root's files stay in place; but one may be a hard link, or have been moved there. */
	if (step->dir_st->st_mode & S_ISVTX && step->fd >= 0 && is_roots(step->st) && S_ISDIR(step->st->st_mode))
		return 0;
	return distrust(t, step, "is writable by others");
}

int trusted_path_open(const struct audience *to, struct path_from from, bool follow, char why[static TRUST_WHY_MAX])
{
	struct trust trust = { .to = to, .why = why };
	_cleanup_walk_ struct walk walk = {
		.root = from.dir, .follow_last = follow, .judge = judge, .arg = &trust, .dir = -1
	};

	return walk_path(&walk, from.dir, from.path);
}
