// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <inttypes.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "kinds/fd/memfd/internal.h"
#include "kinds/fd/reopen.h"
#include "util/fds.h"
#include "util/log.h"

/* A writable mapping refers to the description that it was created with. */
static bool is_mapped_by_first(const struct memfd *st)
{
	return st->entry->path && !st->entry->reopened && !st->inode->entry->backing &&
	       memfd_may_be_first(st->entry->flags);
}

/* Our own descriptor of an inode that in_namespaces has created. */
static int take_inode(struct restore *r, const struct memfd_inode *inode)
{
	const struct memfd_restore *data = *restore_kind_data(r, &memfd_kind);

	return data->holder < 0 ? dup_fd_above(inode->fd, 0) : restore_getfd(r, data->holder, inode->fd);
}

int memfd_open(struct restore *r, struct file *file, const void *state)
{
	const struct memfd *st = state;
	const MemfdFileEntry *entry = st->entry;
	unsigned flags = entry->flags;
	_cleanup_close_ int fd = -1, made = -1;
	bool first = st->inode->first == file->id;
	int err;

	/* The very descriptor, with its position and flags. */
	if (st->inherited) {
		fd = dup_fd_above(st->inherited->fd, 0);
		return fd < 0 ? fail(fd, "--inherit-fd memfd:%s", st->inode->entry->name) : steal_fd(&fd);
	}
	made = take_inode(r, st->inode);
	fd = made < 0 || first || is_mapped_by_first(st) ? steal_fd(&made) : reopen_fd(made, flags);
	if (fd < 0)
		return fail(fd, "open memfd %s", st->inode->entry->name);
	if ((flags & O_PATH) || entry->path)
		return steal_fd(&fd);
	if ((entry->pos || first) && lseek(fd, entry->pos, SEEK_SET) < 0)
		return fail(-errno, "memfd %s: seek to position %" PRIu64, st->inode->entry->name, entry->pos);
	err = set_status_flags(r, fd, flags, entry->fown);
	return err ? err : steal_fd(&fd);
}
