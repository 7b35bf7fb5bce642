// SPDX-License-Identifier: GPL-2.0-only
/*
 * binfmt_misc: that of the initial user namespace belongs to the host, and is mounted again as it is. Other user
 * namespaces have instances of their own, whose entries are not supported.
 */
#include <dirent.h>
#include <errno.h>
#include <string.h>
#include "base/cleanup.h"
#include "kinds/ns/mnt/content.h"
#include "kinds/ns/mnt/mount.h"
#include "run/dump.h"
#include "util/fds.h"
#include "util/log.h"

static int find_entry(int dir_fd, const struct mount *mount, char ret[static NAME_MAX + 1])
{
	int fd = open_at(dir_fd, ".", O_RDONLY | O_DIRECTORY, 0);
	_cleanup_closedir_ DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	ret[0] = 0;
	if (!dir)
		return fail(fd < 0 ? fd : -errno, "mount %s: open its root directory", MOUNT_NAME(mount));
	while ((entry = readdir(dir)))
		if (entry->d_name[0] != '.' && strcmp(entry->d_name, "register") != 0 &&
		    strcmp(entry->d_name, "status") != 0)
			strcpy(ret, entry->d_name);
	return 0;
}

int binfmt_survey(struct dump *dump, const struct ns *ns, struct mount *mount, int dir_fd)
{
	_cleanup_close_ int owner = -1;
	char name[NAME_MAX + 1];
	int err = mount_ns_owner(dump, ns, &owner);

	if (err || owner < 0)
		return err;
	err = find_entry(dir_fd, mount, name);
	if (!err && *name)
		dump_blocker(
			dump, NULL, -1,
			"mount %s contains the entry %s of this user namespace, which is not supported: remove it (echo -1 > %s/%s), or leave the mount out (--skip-mnt %s)",
			MOUNT_NAME(mount), name, MOUNT_NAME(mount), name, MOUNT_NAME(mount));
	return err;
}
