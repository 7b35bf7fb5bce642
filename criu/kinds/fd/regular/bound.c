// SPDX-License-Identifier: GPL-2.0-only
/*
 * A file without a name that was opened by the one that it had, and that a bind mount of the tree shows: it is saved with that
 * mount, and is opened through it, since there must be one file again.
 */
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include "kernel/mountinfo.h"
#include "kinds/fd/regular/internal.h"
#include "run/path.h"
#include "util/str.h"

static bool shows_removed(const struct mount_info *mount)
{
	return mount && str_has_suffix(mount->root, MOUNT_REMOVED);
}

static bool shows(const struct dump *dump, const struct mount_info *mount, const struct subject *s)
{
	struct stat st;

	return shows_removed(mount) && makedev(mount->dev_major, mount->dev_minor) == s->st.st_dev &&
	       !path_stat(&dump->roots, mount->mnt_id, mount->mountpoint, false, &st) && st.st_dev == s->st.st_dev &&
	       st.st_ino == s->st.st_ino;
}

static bool is_read_only(const struct mount_info *mount)
{
	return str_has_prefix(mount->options, "ro") && (!mount->options[2] || mount->options[2] == ',');
}

const struct mount_info *regular_bound_by(struct dump *dump, const struct subject *s)
{
	const struct ns *ns = s->task->ns[NS_MNT];
	bool writes = (s->flags & O_ACCMODE) != O_RDONLY && !(s->flags & O_PATH);
	const struct mount_info *read_only = NULL;

	/* The mounts of our own namespace remain, but may not be there at the restore. */
	if (s->st.st_nlink || !ns || ns->own || shows_removed(mountinfo_find(&dump->mounts, s->mnt_id)))
		return NULL;
	for (size_t i = 0; i < dump->mounts.n; i++) {
		const struct mount_info *mount = &dump->mounts.v[i];

		if (!shows(dump, mount, s))
			continue;
		if (!writes || !is_read_only(mount))
			return mount;
		read_only = mount;
	}
	if (read_only)
		dump_blocker(
			dump, s->task, s->fd,
			"%s is open for writing, and mount %s, which shows the same file, is read-only: that is not supported; close it, or unmount that",
			s->link, read_only->mountpoint);
	return read_only;
}
