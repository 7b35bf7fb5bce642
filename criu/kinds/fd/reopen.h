/* SPDX-License-Identifier: GPL-2.0-only */
/* Another description of an open file, and the flags that open(2) did not set. */
#pragma once
#include <errno.h>
#include <fcntl.h>
#include "fown.pb-c.h"
#include "util/proc_root.h"

/* Flags of images that have done their work when the file was first opened; O_NOFOLLOW would refuse /proc's links. */
#define FLAGS_OF_CREATION (O_CREAT | O_EXCL | O_TRUNC | O_NOCTTY | O_CLOEXEC | O_ASYNC | (O_TMPFILE & ~O_DIRECTORY))
/* What F_SETFL changes; O_DIRECT is checked by it, so it goes with open where that takes it. */
#define FLAGS_OF_STATUS (O_APPEND | O_NONBLOCK | O_DIRECT | O_NOATIME | O_ASYNC)

/* The same inode, also when it has no name (any more) or is a pipe. */
static inline int reopen_fd(int fd, unsigned flags)
{
	return proc_fd_open(fd, (int)(flags & ~(unsigned)(FLAGS_OF_CREATION | O_NOFOLLOW)) | O_NOCTTY);
}

struct restore;
/* Owner and signal first: from O_ASYNC on signals are sent. Logs its errors. */
int set_status_flags(struct restore *r, int fd, unsigned flags, const FownEntry *fown);
