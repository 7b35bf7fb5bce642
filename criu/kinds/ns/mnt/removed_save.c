// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <sys/stat.h>
#include "base/cleanup.h"
#include "kinds/ns/mnt/content.h"
#include "kinds/ns/mnt/mount.h"
#include "kinds/ns/mnt/removed.h"
#include "kinds/ns/mnt/whole.h"
#include "run/dump.h"
#include "util/log.h"

/* An earlier one that shows the same file; NULL: none does. */
static const struct mount *find_same(const struct dump *dump, const struct mount *mount)
{
	struct mount *other;

	mounts_for_each_of_all(other, &dump->namespaces)
	{
		if (other == mount)
			break;
		if (mount_is_removed(other) && other->fs == mount->fs && other->ino == mount->ino)
			return other;
	}
	return NULL;
}

/* Tasks in a user namespace cannot remove its name from a file system of the host. */
static const char *why_not(const struct mount *mount, const struct ns *ns, const struct stat *st)
{
	if (!S_ISREG(st->st_mode) && !S_ISDIR(st->st_mode))
		return "it is neither a file nor a directory";
	if (S_ISREG(st->st_mode) && st->st_nlink)
		return "it has another name";
	return mount->fs->origins && ns->owner ? "its file system is from outside of the user namespace" : NULL;
}

static int survey_one(struct dump *dump, const struct ns *ns, struct mount *mount)
{
	_cleanup_close_ int fd = mount_open_whole(mount);
	const char *at = MOUNT_NAME(mount), *why;
	const struct mount *same;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return fail(fd < 0 ? fd : -errno, "open mount %s", at);
	why = why_not(mount, ns, &st);
	if (why)
		mount_blocker(
			dump,
			"mount %s shows %s, which was removed, and %s: that is not supported; unmount it, make it external (--external 'mnt[%s]:KEY' now, and --external 'mnt[KEY]:PATH' at restore), or leave it out with --skip-mnt %s",
			at, mount->entry->root, why, at, at);
	mount->ino = st.st_ino;
	same = find_same(dump, mount);
	mount->entry->has_removed_id = true;
	mount->entry->removed_id = same ? same->entry->removed_id : mount->entry->mnt_id;
	return 0;
}

int mounts_survey_removed(struct dump *dump, const struct ns *ns)
{
	struct mount *mount;
	int err = 0;

	mounts_for_each(mount, (const struct mounts *)ns->data)
		if (!err && mount_is_removed(mount))
			err = survey_one(dump, ns, mount);
	return err;
}

int mounts_save_removed(struct dump *dump, const struct ns *ns)
{
	struct mount *mount;
	int err = 0;

	mounts_for_each(mount, (const struct mounts *)ns->data) {
		if (err || !mount_is_removed(mount) || mount->entry->removed_id != mount->entry->mnt_id)
			continue;
		_cleanup_close_ int fd = mount_open_whole(mount);
		err = fd < 0 ? fail(fd, "open mount %s", MOUNT_NAME(mount)) : content_save_removed(dump, ns, mount, fd);
	}
	return err;
}
