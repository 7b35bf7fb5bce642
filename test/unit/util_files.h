/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once
#include <fcntl.h>
#include <string.h>

#include "base/cleanup.h"
#include "util/fds.h"

/* Creates or truncates the file. 0 or a negative errno. */
static inline int write_file(int dirfd, const char *path, const void *from, size_t len)
{
	_cleanup_close_ int fd = open_at(dirfd, path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	return fd < 0 ? fd : write_full(fd, from, len);
}
