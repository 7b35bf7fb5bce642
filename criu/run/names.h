/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Names that a restore goes by. A file is opened with the rights of those who get it. One that they may not open (any
 * more: it was opened before they gave up rights, say) comes back to them all the same when it is
 *	- the file of the dump: device, inode and birth time are what the images say; or
 *	- found where only root could have put something else: every directory and link on the path is root's (or ours), and
 *	  none of them can be written by the tasks that get the file; it still has its owner and group.
 * Everything else is refused. Paths begin at the root of the restore (--root).
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "regfile.pb-c.h"
#include "run/opener.h"
#include "run/path.h"

/* What images tell of a file besides its name. */
struct name_was {
	bool has_inode, has_owner;
	uint64_t dev, ino;
	uint64_t birth; /* ns since 1970 */
	uid_t uid;
	gid_t gid;
	int mnt_id; /* where it lay: run/path.h */
};

/* What is to be opened. */
struct name_wanted {
	const char *path;
	unsigned flags;
	const struct name_was *was; /* NULL: nothing is known of it */
};

struct name_was names_was(const RegFileEntry *reg);

/* As the kernel opens it, with the rights that this thread has at the moment: nothing is checked, nothing logged. */
int names_open_raw(const struct restore *r, const char *path, unsigned flags);
/*
 * Open @what for @to. @may: what they must be allowed to do (R_OK, ...) with what is only opened as a place (O_PATH), 0:
 * nothing. Logs. The rights that it took on stay: opener_leave().
 */
int names_open(struct restore *r, const struct audience *to, const struct name_wanted *what, int may);
/* An O_PATH descriptor of @path, if what lies there is what was saved for certain (see above); -EACCES: it is not. */
int names_prove(struct restore *r, const struct audience *to, const char *path, unsigned flags,
		const struct name_was *was);
/*
 * The directory @path (O_PATH), to make and remove names in it for @to. Afterwards this thread has the rights to do that
 * with, and keeps them until opener_leave(): those of a task, or our own where nobody else can put something in the way.
 * -ENOENT and -ENOTDIR are not logged.
 */
int names_open_dir(struct restore *r, const struct audience *to, const char *path);
/* May all of @to do @may (R_OK, ...) with @fd? 0 or -errno; leaves with our own rights. */
int names_may(struct restore *r, const struct audience *to, int fd, int may);
