// SPDX-License-Identifier: GPL-2.0-only
/* The types of file systems that a restore creates again. */
#include "kinds/ns/mnt/fs_type.h"
#include <string.h>
#include "base/bits.h"

/* Names that images contain, and file systems that are there already. */
static const char *const devpts_not_options[] = { "newinstance", NULL };

static const struct fs_type proc = { .name = "proc", .number = FSTYPE__PROC, .of_pid_ns = true };
static const struct fs_type sysfs = { .name = "sysfs", .number = FSTYPE__SYSFS };
static const struct fs_type devtmpfs = { .name = "devtmpfs", .number = FSTYPE__DEVTMPFS };
static const struct fs_type tmpfs = { .name = "tmpfs", .number = FSTYPE__TMPFS };
static const struct fs_type devpts = { .name = "devpts",
				       .number = FSTYPE__DEVPTS,
				       .not_options = devpts_not_options };
static const struct fs_type mqueue = { .name = "mqueue", .number = FSTYPE__MQUEUE };
static const struct fs_type cgroup = { .name = "cgroup", .number = FSTYPE__CGROUP };
static const struct fs_type cgroup2 = { .name = "cgroup2", .number = FSTYPE__CGROUP2 };
static const struct fs_type overlay = { .name = "overlay", .number = FSTYPE__OVERLAYFS };
static const struct fs_type debugfs = { .name = "debugfs", .number = FSTYPE__DEBUGFS };
static const struct fs_type securityfs = { .name = "securityfs", .number = FSTYPE__SECURITYFS };

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
		return entry->fsname ? fs_type_by_name(entry->fsname) : NULL;
	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (types[i]->number == entry->fstype)
			return types[i];
	return NULL;
}
