/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The content of a file system as a tar archive inside gzip, as GNU tar writes and reads it: with numeric owners, hard
 * links, holes, and in pax headers times in ns and extended attributes (with them ACLs and file capabilities). What tar
 * cannot store, above all sockets, is passed on separately as "extras".
 *
 * Ids are those of the calling process's user namespace: call this in the one that owns the file system. Both functions
 * change the working directory. Errors are logged, with the path in the archive.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

struct fs_xattr {
	const char *name;
	const void *value;
	size_t len;
};

struct fs_archive_extra {
	const char *path; /* below the root: "run/socket" */
	mode_t mode; /* with its type; 0: only attributes of a file that is in the archive */
	uid_t uid;
	gid_t gid;
	struct timespec atime, mtime;
	const char *link; /* another name of this earlier extra; NULL: a new file */
	const struct fs_xattr *xattrs;
	size_t nr_xattrs;
};

#define FS_ARCHIVE_ALL_MAPPED UINT32_MAX

struct fs_archive_output {
	int (*write)(void *arg, const void *bytes, size_t len);
	int (*extra)(void *arg, const struct fs_archive_extra *extra);
	void *arg;
	/* What the kernel shows for ids without a mapping, if it stands for nothing else: such files are refused. */
	uint32_t unmapped_uid, unmapped_gid;
};

/*
 * Writes the directory @dir and everything below it on the same mount; with another mount in it: -EXDEV. So @dir
 * belongs to a mount that nothing is mounted on, and that does not change meanwhile; with noatime, or reading a symbolic
 * link changes its access time.
 */
int fs_archive_save(int dir, const struct fs_archive_output *to);

/* Writes only this regular file, which may have no name any more (O_PATH is enough): as FS_ARCHIVE_FILE. */
#define FS_ARCHIVE_FILE "file"
int fs_archive_save_file(int file, const struct fs_archive_output *to);

struct fs_archive_input {
	/* The archive: a part of a file, or in memory. */
	int fd;
	const uint8_t *bytes; /* NULL: in @fd, at @base */
	uint64_t base, len;
	/* The next extra, in the order of their saving: 1; 0: none is left. What it points to is valid until the next call. */
	int (*next_extra)(void *arg, struct fs_archive_extra *ret);
	void *arg;
};

/*
 * Fills the empty directory @dir of a mount, and sets its own attributes. Whatever the archive contains, nothing outside
 * of @dir is created, changed or linked to: -EBADMSG.
 */
int fs_archive_load(int dir, const struct fs_archive_input *from);
