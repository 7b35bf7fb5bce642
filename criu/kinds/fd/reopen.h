/* SPDX-License-Identifier: GPL-2.0-only */
/* Another description of an open file, and flags that open(2) did not set. */
#pragma once
#include <errno.h>
#include <fcntl.h>
#include "fown.pb-c.h"
#include "util/proc_root.h"

/* Flags in images that only had an effect on the original open; O_NOFOLLOW would refuse the links in /proc. */
#define FLAGS_OF_CREATION (O_CREAT | O_EXCL | O_TRUNC | O_NOCTTY | O_CLOEXEC | O_ASYNC | (O_TMPFILE & ~O_DIRECTORY))
/* Flags that F_SETFL changes; it checks O_DIRECT, so that is passed to open where possible. */
#define FLAGS_OF_STATUS (O_APPEND | O_NONBLOCK | O_DIRECT | O_NOATIME | O_ASYNC)

/* The same inode, even if it is unlinked or a pipe. */
static inline int reopen_fd(int fd, unsigned flags)
{
	return proc_fd_open(fd, (int)(flags & ~(unsigned)(FLAGS_OF_CREATION | O_NOFOLLOW)) | O_NOCTTY);
}

struct restore;
/* Owner and signal first: from O_ASYNC on signals are sent. Logs its errors. */
int set_status_flags(struct restore *r, int fd, unsigned flags, const FownEntry *fown);
