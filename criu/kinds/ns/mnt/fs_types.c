// SPDX-License-Identifier: GPL-2.0-only
/* The types of file systems that a restore creates again. */
#include "kinds/ns/mnt/fs_type.h"
#include <string.h>
#include "base/bits.h"
#include "kinds/ns/mnt/content.h"
#include "task/ns.h"

/* Files of any kind, as an archive. */
#define CONTENT .save = content_save, .load = content_load, .fill = content_fill

static const struct fs_type proc = { .name = "proc", .number = FSTYPE__PROC, .of_pid_ns = true, .shows = BIT(NS_PID) };
static const struct fs_type sysfs = { .name = "sysfs",
				      .number = FSTYPE__SYSFS,
				      .single = true,
				      .shows = BIT(NS_NET),
				      .no_options = true };
static const struct fs_type devtmpfs = { .name = "devtmpfs",
					 .number = FSTYPE__DEVTMPFS,
					 .single = true,
					 .no_options = true,
					 .of_host = true };
static const struct fs_type tmpfs = { .name = "tmpfs", .number = FSTYPE__TMPFS, CONTENT };
static const struct fs_type ramfs = { .name = "ramfs", .number = FSTYPE__AUTO, CONTENT };
static const struct fs_type hugetlbfs = { .name = "hugetlbfs", .number = FSTYPE__AUTO, CONTENT };
static const struct fs_type bpf = { .name = "bpf", .number = FSTYPE__AUTO, .survey = bpf_survey };
static const struct fs_type binfmt_misc = { .name = "binfmt_misc",
					    .number = FSTYPE__BINFMT_MISC,
					    .single = true,
					    .no_options = true,
					    .survey = binfmt_survey,
					    .save = binfmt_save,
					    .load = binfmt_load,
					    .fill = binfmt_fill };
static const struct fs_type fusectl = { .name = "fusectl",
					.number = FSTYPE__FUSECTL,
					.single = true,
					.no_options = true,
					.of_host = true };
static const struct fs_type pstore = { .name = "pstore",
				       .number = FSTYPE__PSTORE,
				       .single = true,
				       .no_options = true,
				       .of_host = true };
static const struct fs_type mqueue = { .name = "mqueue",
				       .number = FSTYPE__MQUEUE,
				       .single = true,
				       .shows = BIT(NS_IPC),
				       .no_options = true };
static const struct fs_type cgroup = { .name = "cgroup",
				       .number = FSTYPE__CGROUP,
				       .single = true,
				       .shows = BIT(NS_CGROUP) };
static const struct fs_type cgroup2 = { .name = "cgroup2",
					.number = FSTYPE__CGROUP2,
					.single = true,
					.shows = BIT(NS_CGROUP),
					.options_of_host = true };
static const struct fs_type overlay = { .name = "overlay",
					.number = FSTYPE__OVERLAYFS,
					.survey = overlay_survey,
					.is_ready = overlay_is_ready,
					.options = overlay_text,
					.refuse = overlay_refuse };
static const struct fs_type nsfs = { .name = "nsfs",
				     .number = FSTYPE__AUTO,
				     .single = true,
				     .of_pid_ns = true,
				     .is_file = true,
				     .survey_each = nsfs_survey,
				     .load_each = nsfs_load,
				     .prepare_each = nsfs_prepare,
				     .open_each = nsfs_open };
static const struct fs_type debugfs = { .name = "debugfs",
					.number = FSTYPE__DEBUGFS,
					.single = true,
					.no_options = true,
					.of_host = true };
static const struct fs_type securityfs = { .name = "securityfs",
					   .number = FSTYPE__SECURITYFS,
					   .single = true,
					   .no_options = true,
					   .of_host = true };

/* CRIU leaves it out. */
static const struct fs_type tracefs = { .name = "tracefs",
					.number = FSTYPE__TRACEFS,
					.single = true,
					.no_options = true,
					.of_host = true };

const struct fs_type fs_type_enabled = { .name = "", .number = FSTYPE__AUTO };

static const struct fs_type *const types[] = { &proc,	     &sysfs,   &devtmpfs, &tmpfs,     &fs_type_devpts,
					       &mqueue,	     &cgroup,  &cgroup2,  &overlay,   &debugfs,
					       &securityfs,  &tracefs, &ramfs,	  &hugetlbfs, &bpf,
					       &binfmt_misc, &fusectl, &pstore,	  &nsfs,      &fs_type_autofs };

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
	const struct fs_type *type;

	if (entry->fstype == FSTYPE__AUTO) {
		type = entry->fsname ? fs_type_by_name(entry->fsname) : NULL;
		/* Its options are of no use without its image. */
		if (type == &fs_type_autofs)
			return NULL;
		return type && (type->number == FSTYPE__AUTO || type->refused) ? type : &fs_type_enabled;
	}
	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (types[i]->number == entry->fstype)
			return types[i];
	return NULL;
}
