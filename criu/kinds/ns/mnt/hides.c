// SPDX-License-Identifier: GPL-2.0-only
/*
 * Engines mask files of proc and sysfs (by /dev/null, or an empty read-only tmpfs), or make them read-only (by a bind of the file to
 * itself). Which ones there are depends on the kernel: where one is missing, nothing has to be hidden, and nothing can be mounted.
 */
#include "kinds/ns/mnt/hides.h"
#include <dirent.h>
#include <errno.h>
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

static bool leave_out(struct mount *mount)
{
	log_warn("mount %s: left out: this kernel has no such file, which it hid or protected", MOUNT_NAME(mount));
	mount->left_out = true;
	return true;
}

bool mount_protects_nothing(struct mount *mount, int err)
{
	if (err != -ENOENT || !is_alone(mount) || mount->parent->fs != mount->fs || !is_of_kernel(mount->fs))
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
	struct stat st;

	if (mount->fd < 0 || fstat(mount->fd, &st) < 0)
		return false;
	if (S_ISCHR(st.st_mode))
		return st.st_rdev == makedev(1, 3);
	return S_ISDIR(st.st_mode) && mount->fs->type && mount->fs->type->fill == content_fill &&
	       mount->entry->flags & MNT_FLAG_RDONLY && is_empty(mount->fd);
}

bool mount_hides_nothing(struct mount *mount)
{
	const struct mount *parent = mount->parent;
	int at;

	if (!is_alone(mount) || !is_of_kernel(parent->fs) || parent->fd < 0 || !shows_nothing(mount))
		return false;
	at = mount_find(parent->fd, mount_below(MOUNT_NAME(parent), MOUNT_NAME(mount)));
	if (at >= 0)
		close(at);
	return at == -ENOENT && leave_out(mount);
}
