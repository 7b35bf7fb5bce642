/* SPDX-License-Identifier: GPL-2.0-only */
/* Loading: creates one file, and sets its attributes. */
#pragma once
#include <stdint.h>
#include "archive/fs_archive.h"
#include "archive/place.h"

struct archive;
struct archive_entry;

/* Attributes of a file, from the archive or an extra. */
struct attributes {
	mode_t mode;
	uint64_t uid, gid;
	struct timespec times[2]; /* as utimensat(2) */
	struct archive_entry *entry; /* its extended attributes, or: */
	const struct fs_xattr *xattrs;
	size_t nr_xattrs;
};

void attributes_of_entry(struct archive_entry *entry, struct attributes *ret);
void attributes_of_extra(const struct fs_archive_extra *extra, struct attributes *ret);
/* Of an open regular file or directory. 0 or a negative errno, which they log with @path, as those below. */
int attributes_set(int fd, const struct attributes *a, const char *path);
/* Of any other file. Changes the working directory. */
int attributes_set_at(const struct place *at, const struct attributes *a, const char *path);
int xattrs_set_at(const struct place *at, const struct attributes *a, const char *path);

/* Creates a regular file with the data that follows the header in @tar. */
int create_regular(const struct place *at, struct archive *tar, struct archive_entry *entry, const char *path);
/* Symbolic links, FIFOs, devices. */
int create_special(const struct place *at, struct archive_entry *entry, const char *path);
/* With its final attributes only when its content is there. */
int create_dir(const struct place *at, const char *path);
