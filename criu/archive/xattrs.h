/* SPDX-License-Identifier: GPL-2.0-only */
/* Extended attributes of a file of any type. xattr(7) */
#pragma once
#include <stddef.h>
#include "archive/fs_archive.h"
#include "util/array.h"
#include "util/str.h"

struct xattr_place {
	size_t name, value, len; /* offsets in the text */
};
ARRAY_OF(xattr_places, struct xattr_place);
ARRAY_OF(fs_xattrs, struct fs_xattr);

struct xattrs {
	struct buf text;
	struct xattr_places places;
	struct fs_xattrs list; /* the result */
};

/*
 * A file: either a descriptor, or (-1) a name in the working directory. There is no call by descriptor for symbolic
 * links, sockets, devices.
 */
struct xattr_file {
	int fd;
	const char *name;
};

void xattrs_free(struct xattrs *x);
/* Reads all of them, replacing those in @x. 0 or a negative errno. */
int xattrs_read(struct xattr_file file, struct xattrs *x);
int xattr_write(struct xattr_file file, const char *name, const void *value, size_t len);
