/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Opening paths at restore. A file is opened with the rights of the tasks that get it. One that they may not open (for
 * example because it was opened before they dropped privileges) is opened nevertheless if it is
 * 	- the file of the dump: same device, inode and birth time as in the images; or
 * 	- in a place where only root could have replaced it: every directory and link on the path is owned by root
 * 	  (or us), and the tasks that get the file can write to none of them; its owner and group are unchanged.
 * Otherwise it fails. Paths are relative to the root of the restore (--root).
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "regfile.pb-c.h"
#include "run/opener.h"
#include "run/path.h"

/* The identity of a file in the images, besides its name. */
struct name_was {
	bool has_inode, has_owner;
	uint64_t dev, ino;
	uint64_t birth; /* ns since 1970 */
	uid_t uid;
	gid_t gid;
	int mnt_id; /* its mount: run/path.h */
};

/* The file to open. */
struct name_wanted {
	const char *path;
	unsigned flags;
	const struct name_was *was; /* NULL: unknown */
	int mnt_id; /* then: its mount, of the images; 0 or -1: that of the root */
};

struct name_was names_was(const RegFileEntry *reg);

/* Opens with the current rights of this thread: nothing is checked or logged. */
int names_open_raw(const struct restore *r, int mnt_id, const char *path, unsigned flags);
/*
 * Opens @what for @to. @may: permissions (R_OK, ...) that they must have on a file that is opened with O_PATH; 0: none.
 * Logs. The assumed rights remain in effect until opener_leave().
 */
int names_open(struct restore *r, const struct audience *to, const struct name_wanted *what, int may);
/* An O_PATH descriptor of @path, if it is certainly the saved file (see above); otherwise -EACCES. */
int names_prove(struct restore *r, const struct audience *to, const char *path, unsigned flags,
		const struct name_was *was);
/* With our own rights: @path, if it is the very file that @reg was saved of; -EACCES: it may be another one. Not logged. */
int names_open_same(struct restore *r, const char *path, unsigned flags, const RegFileEntry *reg);
/*
 * The directory @path (O_PATH), as seen from @mnt_id, to create and remove names in it for @to. Afterwards this thread has the rights for
 * that, until opener_leave(): those of a task, or our own if nobody else can manipulate the path. -ENOENT and -ENOTDIR
 * are not logged.
 */
int names_open_dir(struct restore *r, const struct audience *to, int mnt_id, const char *path);
/* Do all of @to have the permissions @may (R_OK, ...) for @fd? 0 or -errno; returns with our own rights. */
int names_may(struct restore *r, const struct audience *to, int fd, int may);
