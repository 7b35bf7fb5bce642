/* SPDX-License-Identifier: GPL-2.0-only */
/* Flags and options of mounts: the words of mountinfo, the numbers of the images, and those of the kernel's calls. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "kernel/mountinfo.h"
#include "util/str.h"

/* Bits of MntEntry.flags and sb_flags: those of mount(2). */
enum {
	MNT_FLAG_RDONLY = 1,
	MNT_FLAG_NOSUID = 2,
	MNT_FLAG_NODEV = 4,
	MNT_FLAG_NOEXEC = 8,
	MNT_FLAG_SYNC = 0x10, /* of a file system; CRIU 4.2 writes MNT_FLAG_NODEV for it */
	MNT_FLAG_DIRSYNC = 0x80, /* of a file system */
	MNT_FLAG_NOSYMFOLLOW = 0x100,
	MNT_FLAG_NOATIME = 0x400,
	MNT_FLAG_NODIRATIME = 0x800,
	MNT_FLAG_REC = 0x4000,
	MNT_FLAG_UNBINDABLE = 0x20000,
	MNT_FLAG_PRIVATE = 0x40000,
	MNT_FLAG_SLAVE = 0x80000,
	MNT_FLAG_SHARED = 0x100000,
	MNT_FLAG_RELATIME = 0x200000,
	MNT_FLAG_STRICTATIME = 0x1000000,
	MNT_FLAG_LAZYTIME = 0x2000000, /* of a file system */
};

/*
 * The length of the first option in @options, which are separated by commas. In a value a comma has a backslash before it,
 * but for the nodes of a memory policy ("mpol=bind:0,2"), and in labels of SELinux in quotes (context="a:b:c:s0:c1,c2").
 */
size_t mount_option_len(const char *options);
/* Does it set labels of SELinux? */
bool mount_option_is_label(const char *option);
/* The value of @name in @options, to be freed; NULL: there is none. */
char *mount_option_value(const char *options, const char *name);
/* Of mountinfo. *ret_unknown: a word that has no flag; NULL: there is none. */
uint32_t mount_flags(const struct mount_info *info, const char **ret_unknown);
/* Of the file system; appends the options that are none of these to @options, separated by commas. */
int mount_sb_flags(const char *sb_options, uint32_t *ret_flags, struct buf *options);
/* MOUNT_ATTR_* of mount_setattr(2) */
uint64_t mount_attributes(uint32_t flags);
#define MOUNT_ALL_ATTRIBUTES (mount_attributes(~0u))
