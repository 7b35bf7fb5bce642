/* SPDX-License-Identifier: GPL-2.0-only */
/* Loading: where a file of the archive is created. Nothing outside the directory to be filled is reachable. */
#pragma once
#include <stddef.h>
#include "util/str.h"

struct places {
	int root; /* borrowed */
	struct buf path; /* of the last directory: canonical, "" is the root */
	int dir; /* that directory (O_PATH); -1: none yet */
};

/* A file: the directory that it is in, and its name there. */
struct place {
	int dir; /* borrowed, valid until the next one is looked for */
	const char *name; /* in the path that was looked for; "" is the root itself */
};

void places_free(struct places *p);
/*
 * Names of a path without "." and empty ones, joined by "/". -EBADMSG: absolute, with "..", too long, or with a name that
 * no file can have.
 */
int place_normalize(const char *path, struct buf *ret);
/* Of a normalized path. A component that is a symbolic link or a mount point, or is missing, is an error. */
int place_find(struct places *p, const char *path, struct place *ret);
/* Opens a directory: the same rules, for all components. */
int place_open_dir(const struct places *p, const char *path, int flags);
