// SPDX-License-Identifier: GPL-2.0-only
#include "run/names.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "run/outside.h"
#include "run/path.h"
#include "run/restore.h"
#include "run/trusted_path.h"
#include "util/fds.h"
#include "util/log.h"
#include "util/proc_root.h"

#ifndef SYS_faccessat2
#define SYS_faccessat2 439
#endif

/* Flags in images that only mattered when the file was first opened. */
#define CREATION_FLAGS (O_CREAT | O_EXCL | O_TRUNC | O_ASYNC | (O_TMPFILE & ~O_DIRECTORY))

struct name_was names_was(const RegFileEntry *reg)
{
	return (struct name_was){ .has_inode = reg->has_dev && reg->has_ino,
				  .has_owner = reg->has_uid && reg->has_gid,
				  .dev = reg->dev,
				  .ino = reg->ino,
				  .birth = reg->birth,
				  .uid = reg->uid,
				  .gid = reg->gid,
				  .mnt_id = reg->mnt_id };
}

static int mount_of(const struct name_wanted *what)
{
	return what->was ? what->was->mnt_id : what->mnt_id;
}

static int open_name(const struct restore *r, const struct name_wanted *what)
{
	const unsigned flags = (what->flags & ~(unsigned)CREATION_FLAGS) | O_NOCTTY;
	const int mnt_id = mount_of(what);

	if (r->tool.untrusted && what->path[0] != '/')
		return -EPERM;
	/* Tasks must not get files that the tool has open: a link of theirs could lead to /proc/self/fd or cwd. */
	if (r->tool.untrusted || r->process.opened_as)
		return path_open_resolving(&r->roots, mnt_id, what->path, flags, RESOLVE_NO_MAGICLINKS);
	return path_open(&r->roots, mnt_id, what->path, flags);
}

int names_open_raw(const struct restore *r, int mnt_id, const char *path, unsigned flags)
{
	return open_name(r, &(struct name_wanted){ path, flags, NULL, mnt_id });
}

static bool same_inode(int a, int b)
{
	struct stat x, y;

	return !fstat(a, &x) && !fstat(b, &y) && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

/* Through the descriptor's entry in /proc: the same inode, even if the name leads elsewhere by now. */
static int open_place(int place, unsigned flags)
{
	return proc_fd_open(place, (int)(flags & ~(unsigned)(CREATION_FLAGS | O_NOFOLLOW | O_DIRECTORY)) | O_NOCTTY);
}

static int access_place(int fd, int may)
{
	char name[PROC_FD_NAME_MAX];

	if (!may)
		return 0;
	proc_fd_name(name, fd);
	/* Checks with the rights that files are opened with: libc would fall back to the effective user. */
	return syscall(SYS_faccessat2, proc_root(), name, may, AT_EACCESS) < 0 ? -errno : 0;
}

/* ---- with the tasks' rights ---- */

static int open_as(struct restore *r, const struct opener *opener, const struct name_wanted *what, int may)
{
	_cleanup_close_ int fd = -1;
	int err = opener_enter(r, opener);

	if (err)
		return err;
	fd = open_name(r, what);
	err = fd < 0 ? fd : access_place(fd, may);
	return err ? err : steal_fd(&fd);
}

/* All of them must get the same file. */
static int open_as_all(struct restore *r, const struct audience *to, const struct name_wanted *what, int may)
{
	_cleanup_close_ int fd = open_as(r, to->openers[0], what, may);

	for (size_t i = 1; fd >= 0 && i < to->n; i++) {
		_cleanup_close_ int same = open_as(r, to->openers[i], what, may);

		if (same < 0)
			return same;
		if (!same_inode(fd, same))
			return -EACCES;
	}
	return steal_fd(&fd);
}

int names_may(struct restore *r, const struct audience *to, int fd, int may)
{
	int err = 0;

	for (size_t i = 0; to && !err && i < to->n; i++) {
		err = opener_enter(r, to->openers[i]);
		if (!err)
			err = access_place(fd, may);
	}
	opener_leave(r);
	return err;
}

/* ---- with our rights, if the file is certain ---- */

static bool is_the_one(int fd, const struct name_was *was)
{
	struct statx sx;

	return was && was->has_inode && was->birth && !statx(fd, "", AT_EMPTY_PATH, STATX_BTIME | STATX_INO, &sx) &&
	       makedev(sx.stx_dev_major, sx.stx_dev_minor) == was->dev && sx.stx_ino == was->ino &&
	       statx_birth(&sx) == was->birth;
}

static bool has_owner_of_before(int fd, const struct name_was *was, char why[static TRUST_WHY_MAX])
{
	struct statfs fs;
	struct stat st;

	if (fstat(fd, &st) < 0)
		return false;
	/* The /proc files of tasks are ours until the tasks get their credentials. */
	if (!fstatfs(fd, &fs) && fs.f_type == PROC_SUPER_MAGIC)
		return true;
	if (!was || !was->has_owner || (st.st_uid == was->uid && st.st_gid == was->gid))
		return true;
	snprintf(why, TRUST_WHY_MAX, "it belonged to %u:%u, and belongs to %u:%u now", was->uid, was->gid, st.st_uid,
		 st.st_gid);
	return false;
}

static int prove(struct restore *r, const struct audience *to, const struct name_wanted *what,
		 char why[static TRUST_WHY_MAX])
{
	const struct name_wanted place = { what->path, O_PATH | (what->flags & (O_NOFOLLOW | O_DIRECTORY)), what->was,
					   what->mnt_id };
	bool follow = !(what->flags & O_NOFOLLOW);
	_cleanup_close_ int fd = -1;

	opener_leave(r);
	fd = open_name(r, &place);
	/* A task with all our rights could have opened any file itself. */
	if (fd < 0 || !to || is_the_one(fd, what->was))
		return steal_fd(&fd);
	close(fd);
	fd = trusted_path_open(to, path_from(&r->roots, mount_of(what), what->path), follow, why);
	if (fd < 0)
		return fd;
	return has_owner_of_before(fd, what->was, why) ? steal_fd(&fd) : -EACCES;
}

int names_prove(struct restore *r, const struct audience *to, const char *path, unsigned flags,
		const struct name_was *was)
{
	const struct name_wanted what = { path, flags, was, PATH_ROOT_MOUNT };
	char why[TRUST_WHY_MAX] = "";

	return prove(r, to, &what, why);
}

/* Without a birth time, another file may have got its inode number; but only from root, if nobody else can create it there. */
static bool is_the_one_of_root(struct restore *r, const struct name_wanted *what)
{
	char why[TRUST_WHY_MAX] = "";
	_cleanup_close_ int fd = -1;
	struct stat st;

	if (!what->was->has_inode || what->was->birth)
		return false;
	fd = trusted_path_open(NULL, path_from(&r->roots, mount_of(what), what->path), !(what->flags & O_NOFOLLOW),
			       why);
	return fd >= 0 && !fstat(fd, &st) && st.st_dev == what->was->dev && st.st_ino == what->was->ino;
}

int names_open_same(struct restore *r, const char *path, unsigned flags, const RegFileEntry *reg)
{
	const struct name_was was = names_was(reg);
	const struct name_wanted what = { path, flags, &was, PATH_ROOT_MOUNT },
				 place = { path, O_PATH | (flags & (O_NOFOLLOW | O_DIRECTORY)), &was, PATH_ROOT_MOUNT };
	_cleanup_close_ int fd = open_name(r, &place);

	if (fd < 0)
		return fd;
	if (!is_the_one(fd, &was) && !is_the_one_of_root(r, &what))
		return -EACCES;
	return what.flags & O_PATH ? steal_fd(&fd) : open_place(fd, what.flags);
}

static int open_proven(struct restore *r, const struct audience *to, const struct name_wanted *what)
{
	const char *path = what->path;
	char why[TRUST_WHY_MAX] = "it may be another file";
	_cleanup_close_ int place = prove(r, to, what, why);
	int fd;

	if (place == -EACCES || place == -EPERM)
		return fail(place,
			    "open %s for user %u: no permission, and it may not be the file of the dump: %s; give "
			    "that user permission to open it, or give its path to root alone",
			    path, to->openers[0]->fsuid, why);
	if (place < 0 || what->flags & O_PATH)
		return place < 0 ? fail(place, "open %s", path) : steal_fd(&place);
	fd = open_place(place, what->flags);
	return fd < 0 ? fail(fd, "open %s", path) : fd;
}

int names_open(struct restore *r, const struct audience *to, const struct name_wanted *what, int may)
{
	const char *path = what->path;
	int fd;

	if (to && r->process.opening && r->process.opening_proven)
		return open_proven(r, to, what);
	if (!to)
		opener_leave(r);
	fd = to ? open_as_all(r, to, what, may) : open_name(r, what);
	/* The tool knows no other roots than that of the tree. */
	if ((fd == -EACCES || fd == -EPERM) && path_from(&r->roots, mount_of(what), path).dir == r->roots.root) {
		int outside = outside_open_file(r, path, what->flags);

		fd = outside >= 0 ? outside : fd;
	}
	if (to && (fd == -EACCES || fd == -EPERM))
		return open_proven(r, to, what);
	if (fd == -ENOENT || fd == -ENOTDIR)
		return fail(fd, "open %s: put the file back where it was when the tree was dumped", path);
	return fd < 0 ? fail(fd, "open %s", path) : fd;
}

/* ---- creating and removing names ---- */

int names_open_dir(struct restore *r, const struct audience *to, int mnt_id, const char *path)
{
	const struct name_wanted what = { path, O_PATH | O_DIRECTORY, NULL, mnt_id };
	char why[TRUST_WHY_MAX] = "", itself[PATH_MAX + 2];
	int fd;

	if (!to)
		opener_leave(r);
	fd = to ? open_as_all(r, to, &what, W_OK | X_OK) : open_name(r, &what);
	if (!to || (fd != -EACCES && fd != -EPERM))
		return fd;
	opener_leave(r);
	/* The directory itself is checked as well. */
	fd = str_format(itself, sizeof(itself), "%s/.", path);
	if (!fd)
		fd = trusted_path_open(to, path_from(&r->roots, mnt_id, itself), true, why);
	if (fd == -EACCES)
		return fail(fd,
			    "create a name in %s for user %u: no permission, and %s; give that user permission to "
			    "write there, or give the path to root alone",
			    path, to->openers[0]->fsuid, why);
	return fd;
}
