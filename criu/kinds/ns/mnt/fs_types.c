// SPDX-License-Identifier: GPL-2.0-only
/* The types of file systems that a restore creates again. */
#include "kinds/ns/mnt/fs_type.h"
#include <dirent.h>
#include <errno.h>
#include <string.h>
#include "base/bits.h"
#include "run/dump.h"
#include "util/fds.h"
#include "util/log.h"

/* CRIU adds it; every instance is new nowadays. */
static const char *const devpts_not_options[] = { "newinstance", NULL };

/* There is nobody yet who saves it. */
static int refuse_content(struct dump *dump, const struct ns *ns, struct mount *mount, int dir_fd)
{
	int again = open_at(dir_fd, ".", O_RDONLY | O_DIRECTORY, 0);
	DIR *dir = again < 0 ? NULL : fdopendir(again);
	struct dirent *entry;

	if (!dir)
		return fail(again < 0 ? again : -ENOMEM, "list mount %s", MOUNT_NAME(mount));
	while ((entry = readdir(dir)) && (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")))
		;
	if (entry)
		mount_blocker(
			dump,
			"mount %s (tmpfs) is not empty, and saving its content is not implemented: make it external (--external 'mnt[%s]:KEY' now, and --external 'mnt[KEY]:PATH' at restore)",
			MOUNT_NAME(mount), MOUNT_NAME(mount));
	closedir(dir);
	return 0;
}

static const struct fs_type proc = { .name = "proc", .number = FSTYPE__PROC, .of_pid_ns = true };
static const struct fs_type sysfs = { .name = "sysfs", .number = FSTYPE__SYSFS, .single = true, .no_options = true };
static const struct fs_type devtmpfs = { .name = "devtmpfs",
					 .number = FSTYPE__DEVTMPFS,
					 .single = true,
					 .no_options = true };
static const struct fs_type tmpfs = { .name = "tmpfs", .number = FSTYPE__TMPFS, .survey = refuse_content };
static const struct fs_type devpts = { .name = "devpts", .number = FSTYPE__DEVPTS, .not_options = devpts_not_options };
static const struct fs_type mqueue = { .name = "mqueue", .number = FSTYPE__MQUEUE, .single = true, .no_options = true };
static const struct fs_type cgroup = { .name = "cgroup", .number = FSTYPE__CGROUP, .single = true };
static const struct fs_type cgroup2 = { .name = "cgroup2", .number = FSTYPE__CGROUP2, .single = true };
static const struct fs_type overlay = { .name = "overlay", .number = FSTYPE__OVERLAYFS };
static const struct fs_type debugfs = { .name = "debugfs",
					.number = FSTYPE__DEBUGFS,
					.single = true,
					.no_options = true };
static const struct fs_type securityfs = { .name = "securityfs",
					   .number = FSTYPE__SECURITYFS,
					   .single = true,
					   .no_options = true };

const struct fs_type fs_type_enabled = { .name = "", .number = FSTYPE__AUTO };

static const struct fs_type *const types[] = { &proc,	&sysfs,	  &devtmpfs, &tmpfs,   &devpts,	   &mqueue,
					       &cgroup, &cgroup2, &overlay,  &debugfs, &securityfs };

const struct fs_type *fs_type_by_name(const char *fstype)
{
	size_t len = strcspn(fstype, ".");

	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (strlen(types[i]->name) == len && !memcmp(types[i]->name, fstype, len))
			return types[i];
	return NULL;
}

const struct fs_type *fs_type_of_entry(const MntEntry *entry)
{
	if (entry->fstype == FSTYPE__AUTO)
		return &fs_type_enabled;
	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (types[i]->number == entry->fstype)
			return types[i];
	return NULL;
}
