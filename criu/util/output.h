/* SPDX-License-Identifier: GPL-2.0-only */
/* Output files in directories that other users may write to: the log, the pid file. */
#pragma once
#include <stddef.h>

/*
 * Creates or truncates @path (relative to @dirfd) for writing, mode 0600. In directories that users other than root and
 * ourselves can write to, nothing that they may have planted is used: their links are not followed, their FIFOs and
 * devices not opened, files with several links not truncated: -EPERM. @append: O_APPEND.
 */
int output_open(int dirfd, const char *path, int append);
/* Writes all of @from to such a file. */
int output_write(int dirfd, const char *path, const void *from, size_t len);
/* Removes such a file again, unless a link has been put into its path meanwhile. */
int output_remove(int dirfd, const char *path);
/* The message for an error of these functions. */
const char *output_error(int err);
