// SPDX-License-Identifier: GPL-2.0-only
#include "kinds/ns/mnt/find.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "util/fds.h"

#define RESOLVE_TRIES 1000

/* Names of the tree could lead anywhere, and we are root of the host. */
int mount_find(int dir, const char *path)
{
	struct open_how how = { .flags = O_PATH | O_CLOEXEC | O_NOFOLLOW,
				.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV };
	int fd = -1;

	/* What is mounted may be a file. */
	if (!*path)
		return dup_fd_above(dir, 0);
	for (int tries = 0; tries < RESOLVE_TRIES; tries++) {
		fd = (int)syscall(SYS_openat2, dir, path, &how, sizeof(how));
		if (fd >= 0 || (errno != EAGAIN && errno != EINTR))
			break;
	}
	return fd < 0 ? -errno : fd;
}
