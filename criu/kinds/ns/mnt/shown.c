// SPDX-License-Identifier: GPL-2.0-only
/*
 * Dump: sysfs shows the network namespace of whoever mounts it, mqueue the IPC namespace. The kernel has one of each for a
 * namespace: if another one is mounted there, detached, it is the same.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "kernel/device.h"
#include "kernel/ns_run.h"
#include "kinds/ns/mnt/fs_type.h"
#include "kinds/ns/mnt/save.h"
#include "run/path.h"
#include "util/fds.h"
#include "util/log.h"
#include "util/str.h"

struct shown {
	const char *fstype;
	uint32_t dev;
};

static int mount_detached(void *arg)
{
	struct shown *shown = arg;
	_cleanup_close_ int fs = fsopen(shown->fstype, FSOPEN_CLOEXEC), fd = -1;
	struct stat st;

	if (fs < 0 || fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return -errno;
	fd = fsmount(fs, FSMOUNT_CLOEXEC, 0);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	shown->dev = kdev_make(major(st.st_dev), minor(st.st_dev));
	return 0;
}

/* 1: @mount shows it. */
static int is_shown(const struct mount *mount, const struct ns *ns)
{
	const struct dump_task *member = dump_task_of(ns->member);
	struct shown shown = { .fstype = mount->fs->type->name };
	_cleanup_close_ int fd = open_fmt(member->proc.dir, O_RDONLY | O_CLOEXEC, "ns/%s", ns_type_name(ns->type));
	int result = 0, err = fd < 0 ? fd : ns_run_in(&fd, 1, mount_detached, &shown, &result);

	err = err ?: result;
	return err ? err : shown.dev == mount->entry->root_dev;
}

static bool are_several(const struct dump *dump, enum ns_type type)
{
	const struct ns *ns;
	size_t nr = 0;

	ns_for_each(ns, &dump->namespaces, type)
		nr++;
	return nr > 1;
}

static int find(struct dump *dump, struct mount *mount, enum ns_type type, const struct ns **ret)
{
	const struct ns *ns;

	ns_for_each(ns, &dump->namespaces, type) {
		int shown = ns->member ? is_shown(mount, ns) : 0;

		if (shown > 0)
			*ret = ns;
		if (shown)
			return shown > 0 ? 1 :
					   fail(shown, "mount %s: mount another %s in the %s namespace of process %d",
						MOUNT_NAME(mount), mount->fs->type->name, ns_type_name(type),
						dump_task_of(ns->member)->t.host_pid);
	}
	return 0;
}

/* The first process of its namespace is in that. */
bool mount_shows_pid_ns_of_root(struct dump *dump, const struct mount *mount)
{
	const struct ns *of_root = dump_task_of(dump->tree.root)->ns[NS_PID];
	const struct mount *whole = mount->fs->whole;
	char path[PATH_MAX], link[64], want[64];
	_cleanup_close_ int dir = -1;

	if (!whole || !of_root || !are_several(dump, NS_PID))
		return true;
	if (str_format(path, sizeof(path), "%s/1/ns", whole->info->mountpoint))
		return false;
	dir = path_open(&dump->roots, whole->info->mnt_id, path, O_PATH | O_DIRECTORY);
	snprintf(want, sizeof(want), "pid:[%" PRIu64 "]", of_root->ino);
	return dir >= 0 && read_link(dir, "pid", link, sizeof(link)) > 0 && !strcmp(link, want);
}

int mount_find_shown(struct dump *dump, struct mount *mount, enum ns_type type)
{
	const struct ns *shown = mount->fs->shown, *of_root = dump_task_of(dump->tree.root)->ns[type];
	int found = shown || !are_several(dump, type) ? 1 : find(dump, mount, type, &shown);

	if (found <= 0 || !shown || shown == of_root)
		return found;
	mount->fs->shown = shown;
	mount->entry->has_shown_ns = true;
	mount->entry->shown_ns = shown->id;
	return 1;
}
