/* SPDX-License-Identifier: GPL-2.0-only */
/* Saving: one file with its attributes, as an entry of the archive, or as an extra. */
#pragma once
#include <stdbool.h>
#include <sys/stat.h>
#include "archive/fs_archive.h"
#include "archive/xattrs.h"
#include "util/hash.h"
#include "util/str.h"

struct archive;
struct archive_entry;
struct statx;

#define SAVE_BUFFER (256u << 10)

struct saver {
	const struct fs_archive_output *to;
	int error; /* of to->write */
	struct archive *tar;
	struct archive_entry *entry;
	uint32_t fs_magic; /* f_type */
	uint64_t page; /* of hugetlbfs */
	struct buf path; /* of the current file: "./run/lock" */
	int dir; /* the directory that it is in */
	int unnamed; /* the file itself, if it has no name; else -1 */
	bool is_cwd; /* the working directory is that one */
	struct hash links; /* inode -> path (malloc), of files with several names */
	struct xattrs xattrs;
	char *buffer;
};

/* Saves @name in the current directory, a directory without its content. Logs. */
int save_file(struct saver *s, const char *name, const struct statx *sx);
/* The same for a directory that is open. */
int save_dir(struct saver *s, int fd, const struct statx *sx);
