// SPDX-License-Identifier: GPL-2.0-only
#include "kinds/ns/mnt/find.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "util/fds.h"

#define RESOLVE_TRIES 1000

static int resolve(int dir, const char *path, uint64_t flags)
{
	struct open_how how = { .flags = O_PATH | O_CLOEXEC | O_NOFOLLOW, .resolve = flags };
	int fd = -1;

	for (int tries = 0; tries < RESOLVE_TRIES; tries++) {
		fd = (int)syscall(SYS_openat2, dir, path, &how, sizeof(how));
		if (fd >= 0 || (errno != EAGAIN && errno != EINTR))
			break;
	}
	return fd < 0 ? -errno : fd;
}

static bool on_same_mount(int a, int b)
{
	struct statx sa, sb;

	return !statx(a, "", AT_EMPTY_PATH, STATX_MNT_ID, &sa) && !statx(b, "", AT_EMPTY_PATH, STATX_MNT_ID, &sb) &&
	       sa.stx_mask & sb.stx_mask & STATX_MNT_ID && sa.stx_mnt_id == sb.stx_mnt_id;
}

/*
 * Names of the tree could lead anywhere, and we are root of the host. On autofs newer kernels also refuses directories where something
 * could be mounted, and nothing is: those are found without its help.
 */
int mount_find(int dir, const char *path)
{
	const uint64_t flags = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS;

	/* What is mounted may be a file. */
	if (!*path)
		return dup_fd_above(dir, 0);
	_cleanup_close_ int fd = resolve(dir, path, flags | RESOLVE_NO_XDEV);
	if (fd != -EXDEV)
		return steal_fd(&fd);
	fd = resolve(dir, path, flags);
	return fd < 0 || on_same_mount(dir, fd) ? steal_fd(&fd) : -EXDEV;
}
