// SPDX-License-Identifier: GPL-2.0-only
/* bpf: an empty one is created again. What is pinned in it (maps, programs, links) is not supported. bpf(2) BPF_OBJ_PIN */
#include <dirent.h>
#include <errno.h>
#include <string.h>
#include "base/cleanup.h"
#include "kinds/ns/mnt/content.h"
#include "kinds/ns/mnt/mount.h"
#include "run/dump.h"
#include "util/fds.h"
#include "util/log.h"

/* Files that the kernel creates itself in each of them (bpf_preload). */
static bool is_of_kernel(const char *name)
{
	return !strcmp(name, "maps.debug") || !strcmp(name, "progs.debug");
}

int bpf_survey(struct dump *dump, const struct ns *ns, struct mount *mount, int dir_fd)
{
	int fd = open_at(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_NOATIME, 0);
	_cleanup_closedir_ DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	if (!dir)
		return fail(fd < 0 ? fd : -errno, "mount %s: open its root directory", MOUNT_NAME(mount));
	while ((entry = readdir(dir))) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..") || is_of_kernel(entry->d_name))
			continue;
		mount_blocker(
			dump,
			"mount %s contains pinned BPF objects (%s), which is not supported: remove them, make the mount external (--external 'mnt[%s]:KEY' now, and --external 'mnt[KEY]:PATH' at restore), or leave it out (--skip-mnt %s)",
			MOUNT_NAME(mount), entry->d_name, MOUNT_NAME(mount), MOUNT_NAME(mount));
		break;
	}
	return 0;
}
