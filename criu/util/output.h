/* SPDX-License-Identifier: GPL-2.0-only */
/* Files that are written for the user, in directories that may be somebody else's: the log, the pid file. */
#pragma once
#include <stddef.h>

/*
 * Create or truncate @path (of @dirfd, when it is relative) for writing, mode 0600. In directories that others than root
 * and we can write, nothing that others have put in the way is used: no link of theirs is followed, no FIFO or device
 * of theirs opened, no file that has another name besides truncated: -EPERM. @append: O_APPEND.
 */
int output_open(int dirfd, const char *path, int append);
/* All of @from into such a file. */
int output_write(int dirfd, const char *path, const void *from, size_t len);
/* Take such a file away again, if nobody has put a link into its path meanwhile. */
int output_remove(int dirfd, const char *path);
/* What to say of an error of these. */
const char *output_error(int err);
