/* SPDX-License-Identifier: GPL-2.0-only */
/* What tests see of mounts, and of files on them. */
#ifndef TEST_MOUNTS_H
#define TEST_MOUNTS_H
#include "checkpoint.h"
#include <sched.h>
#include <sys/mount.h>
#include <sys/statvfs.h>

/* Also where the directory is in a tmpfs itself. */
static inline bool is_mount(const char *path)
{
	struct statx st;

	return !statx(AT_FDCWD, path, AT_NO_AUTOMOUNT, STATX_TYPE, &st) && (st.stx_attributes & STATX_ATTR_MOUNT_ROOT);
}

static inline unsigned long long mount_at(int at, const char *path)
{
	struct statx sx;

	return statx(at, path, AT_EMPTY_PATH, STATX_MNT_ID, &sx) ? 0 : sx.stx_mnt_id;
}

static inline unsigned long long mount_of(int fd)
{
	return mount_at(fd, "");
}

static inline unsigned long mount_flags(int fd)
{
	struct statvfs st;

	return fstatvfs(fd, &st) ? 0 : st.f_flag;
}

static inline bool has_text_at(int at, const char *name, const char *text)
{
	char buf[64] = "";
	int fd = openat(at, name, O_RDONLY);
	long n = read(fd, buf, sizeof(buf) - 1);

	close(fd);
	return n == (long)strlen(text) && !strcmp(buf, text);
}

static inline bool has_text(const char *path, const char *text)
{
	return has_text_at(AT_FDCWD, path, text);
}

#endif
