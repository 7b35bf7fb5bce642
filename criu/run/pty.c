// SPDX-License-Identifier: GPL-2.0-only
#include "run/pty.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "run/restore.h"
#include "util/fds.h"
#include "util/hash.h"
#include "util/proc_root.h"

/* The kernel assigns the lowest free index: occupy all below it for a moment. */
int pty_open_master(int ptmx, uint32_t index, bool exactly)
{
	_cleanup_free_ int *below = calloc((size_t)index + 1, sizeof(*below));
	uint32_t got = 0, n = 0;
	int fd = -1, err = below ? 0 : -ENOMEM;

	while (!err) {
		fd = proc_fd_open(ptmx, O_RDWR | O_NOCTTY);
		if (fd < 0)
			err = fd;
		else if (ioctl(fd, TIOCGPTN, &got) < 0)
			err = -ENODEV;
		else if (got >= index || n == index || !exactly)
			break;
		else
			below[n++] = fd;
	}
	while (n)
		close(below[--n]);
	if (!err && exactly && got != index)
		err = -EBUSY;
	if (err && fd >= 0)
		close(fd);
	return err ? err : fd;
}

int restore_make_pty(struct restore *r, int devpts, uint32_t index)
{
	_cleanup_close_ int ptmx = open_at(devpts, "ptmx", O_PATH | O_NOFOLLOW, 0);
	_cleanup_close_ int fd = ptmx < 0 ? ptmx : pty_open_master(ptmx, index, true);
	uint64_t known;
	int kept, err;

	if (fd < 0)
		return fd;
	if (hash_get(&r->tool.ptys, index, &known))
		return -EBUSY;
	kept = dup_fd_above(fd, r->service_base);
	err = kept < 0 ? kept : hash_put(&r->tool.ptys, index, (uint64_t)kept);
	if (err && kept >= 0)
		close(kept);
	return err;
}

int restore_take_pty(struct restore *r, uint32_t index)
{
	uint64_t fd;

	if (!hash_get(&r->tool.ptys, index, &fd))
		return -ENOENT;
	hash_del(&r->tool.ptys, index);
	return (int)fd;
}

void restore_close_ptys(struct restore *r)
{
	const struct hash_slot *slot;
	size_t iter = 0;

	while ((slot = hash_next(&r->tool.ptys, &iter)))
		close((int)slot->value);
	hash_free(&r->tool.ptys);
}
