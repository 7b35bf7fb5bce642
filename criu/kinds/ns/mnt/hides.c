// SPDX-License-Identifier: GPL-2.0-only
/*
 * Engines mask files of proc and sysfs (by /dev/null, or an empty read-only tmpfs), or make them read-only (by a bind of the file to
 * itself). Which ones there are depends on the kernel: where one is missing, nothing has to be hidden, and nothing can be mounted.
 */
#include "kinds/ns/mnt/hides.h"
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include "base/bits.h"
#include "base/cleanup.h"
#include "kinds/ns/mnt/content.h"
#include "kinds/ns/mnt/find.h"
#include "kinds/ns/mnt/fs_type.h"
#include "kinds/ns/mnt/options.h"
#include "task/ns.h"
#include "util/fds.h"
#include "util/log.h"
#include "util/str.h"

/* Its files are the kernel's: nobody can create one. */
static bool is_of_kernel(const struct mount_fs *fs)
{
	return fs->type && (fs->type->of_pid_ns || fs->type->shows & BIT(NS_NET));
}

/* Neither a mount nor a peer depends on it. */
static bool is_alone(const struct mount *mount)
{
	return mount->parent && !mount->children && !mount->entry->shared_id && !mount->entry->master_id;
}

/*
 * Files of processes, and of network devices, are not there yet: that they are missing now does not say that there will be nothing to hide.
 * @below: of @root in its file system.
 */
static bool appears_later(const char *root, const char *below)
{
	char path[2 * PATH_MAX];
	const char *at = path;

	if (str_format(path, sizeof(path), "%s/%s/", root, below))
		return true;
	while (*at == '/')
		at++;
	return isdigit((unsigned char)*at) || strstr(path, "/net/");
}

static bool leave_out(struct mount *mount)
{
	log_warn("mount %s: left out: this kernel has no such file, which it hid or protected", MOUNT_NAME(mount));
	mount->left_out = true;
	return true;
}

bool mount_protects_nothing(struct mount *mount, int err)
{
	if (err != -ENOENT || !is_alone(mount) || mount->parent->fs != mount->fs || !is_of_kernel(mount->fs) ||
	    appears_later(mount->entry->root, ""))
		return false;
	return leave_out(mount);
}

static bool is_empty(int fd)
{
	_cleanup_close_ int dir = open_at(fd, ".", O_RDONLY | O_DIRECTORY, 0);
	DIR *entries = dir < 0 ? NULL : fdopendir(dir);
	bool empty = entries;
	struct dirent *e;

	if (!entries)
		return false;
	dir = -1;
	while (empty && (e = readdir(entries)))
		empty = !strcmp(e->d_name, ".") || !strcmp(e->d_name, "..");
	closedir(entries);
	return empty;
}

static bool shows_nothing(const struct mount *mount)
{
	struct statx sx;

	/* The server of a FUSE file system is not asked. */
	if (mount->fd < 0 || statx(mount->fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &sx) < 0)
		return false;
	if (S_ISCHR(sx.stx_mode))
		return sx.stx_rdev_major == 1 && sx.stx_rdev_minor == 3;
	return S_ISDIR(sx.stx_mode) && mount->fs->type && mount->fs->type->fill == content_fill &&
	       mount->entry->flags & MNT_FLAG_RDONLY && is_empty(mount->fd);
}

bool mount_hides_nothing(struct mount *mount)
{
	const struct mount *parent = mount->parent;
	const char *below;
	int at;

	if (!is_alone(mount) || !is_of_kernel(parent->fs) || parent->fd < 0 || !shows_nothing(mount))
		return false;
	below = mount_below(MOUNT_NAME(parent), MOUNT_NAME(mount));
	if (appears_later(parent->entry->root, below))
		return false;
	at = mount_find(parent->fd, below);
	if (at >= 0)
		close(at);
	return at == -ENOENT && leave_out(mount);
}
