// SPDX-License-Identifier: GPL-2.0-only
/*
 * Inodes are created, filled and sealed before tasks are forked; a seal that forbids mappings is added when those
 * exist.
 */
#include <errno.h>
#include <inttypes.h>
#include <linux/memfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>
#include "kinds/fd/memfd/internal.h"
#include "memory/shmem.h"
#include "pie/vma.h"
#include "run/limits.h"
#include "util/fds.h"
#include "util/log.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008u
#define MFD_EXEC 0x0010u
#endif
#define VMA_STATUS_MAPS_FILE (1u << 7 | 1u << 14) /* shared file, memfd */

/* F_SEAL_EXEC is set at creation if the inode has no x bits; otherwise it can only be added. */
static int make_inode(const MemfdInodeEntry *entry)
{
	unsigned flags = MFD_CLOEXEC | entry->hugetlb_flag;
	bool noexec = entry->seals & F_SEAL_EXEC && entry->has_mode && !(entry->mode & 0111);
	int fd;

	/* Without this flag an inode has F_SEAL_SEAL and nothing else. */
	if (entry->seals != F_SEAL_SEAL)
		flags |= MFD_ALLOW_SEALING;
	fd = memfd_create(entry->name, flags | (noexec ? MFD_NOEXEC_SEAL : MFD_EXEC));
	if (fd < 0 && errno == EINVAL)
		fd = memfd_create(entry->name, flags);
	return fd < 0 ? -errno : fd;
}

static int add_seals(const struct memfd_inode *inode, int seals)
{
	int now = fcntl(inode->fd, F_GET_SEALS);

	if (now < 0)
		return fail(-errno, "memfd %s: its seals", inode->entry->name);
	if ((now & seals) == seals)
		return 0;
	if (fcntl(inode->fd, F_ADD_SEALS, seals & ~now) < 0)
		return fail(-errno, "memfd %s: add seals %#x", inode->entry->name, seals & ~now);
	return 0;
}

static int fill_inode(struct restore *r, const struct memfd_inode *inode)
{
	const MemfdInodeEntry *entry = inode->entry;
	int err;

	if ((entry->uid || entry->gid || geteuid()) && fchown(inode->fd, entry->uid, entry->gid) < 0)
		return fail(-errno, "memfd %s: change its owner to %u:%u", entry->name, entry->uid, entry->gid);
	if (entry->has_mode && fchmod(inode->fd, entry->mode & 07777) < 0)
		return fail(-errno, "memfd %s: set its mode", entry->name);
	if (ftruncate(inode->fd, entry->size) < 0)
		return fail(-errno, "memfd %s: set its size to %" PRIu64 " bytes", entry->name, entry->size);
	err = entry->size ? shmem_fill(r, entry->shmid, inode->fd) : 0;
	/* Whole pages were written. */
	if (!err && entry->size % PAGE_SZ && ftruncate(inode->fd, entry->size) < 0)
		return fail(-errno, "memfd %s: set its size to %" PRIu64 " bytes", entry->name, entry->size);
	return err;
}

static void mark_late_seals(struct memfd_restore *data, const VmaEntry *vma)
{
	struct memfd_file *file;

	if (!(vma->status & VMA_STATUS_MAPS_FILE) || !(vma->flags & MAP_SHARED) || !(vma->prot & PROT_WRITE))
		return;
	file = record_find(&data->files, 0, vma->shmid);
	/*
	 * F_SEAL_WRITE cannot be set while a writable shared mapping exists, so there was none: it can be added early,
	 * and read-only mappings require it. F_SEAL_FUTURE_WRITE does not affect existing mappings, but forbids
	 * creating them.
	 */
	if (file && file->inode->entry->seals & F_SEAL_FUTURE_WRITE && !(file->inode->entry->seals & F_SEAL_WRITE))
		file->inode->late_seals = file->inode->entry->seals & (F_SEAL_FUTURE_WRITE | F_SEAL_SEAL);
}

/* It exists and is filled; for a SysV segment, owner and mode are set, too. */
static int take_segment(struct restore *r, struct memfd_inode *inode)
{
	const MemfdInodeEntry *entry = inode->entry;
	uint64_t fd;

	if (!hash_get(&r->segment_fds, memfd_segment_key(entry), &fd))
		return fail(-EBADMSG, "memfd.img: %s: there is no shared memory %u", entry->name, entry->shmid);
	inode->fd = (int)fd;
	if (entry->backing == MEMFD_BACKING_SYSV)
		return 0;
	if ((entry->uid || entry->gid || geteuid()) && fchown(inode->fd, entry->uid, entry->gid) < 0)
		return fail(-errno, "shared memory %u: change its owner to %u:%u", entry->shmid, entry->uid,
			    entry->gid);
	if (entry->has_mode && fchmod(inode->fd, entry->mode & 07777) < 0)
		return fail(-errno, "shared memory %u: set its mode", entry->shmid);
	return add_seals(inode, (int)entry->seals);
}

/* Tasks with nearly as many descriptors as the limit allows have no space for all of ours. */
static bool tasks_have_room(struct restore *r, const struct memfd_restore *data)
{
	struct rlimit lim;

	return !getrlimit(RLIMIT_NOFILE, &lim) &&
	       (uint64_t)r->service_base + data->inodes.n + RESTORE_OWN_FDS <= lim.rlim_cur;
}

/* Opened here: in a pid namespace of their own, tasks have no pid for the tool. */
static int open_holder(struct restore *r, struct memfd_restore *data)
{
	int fd;

	data->holder = -1;
	if (tasks_have_room(r, data))
		return 0;
	fd = sys_pidfd_open(r->shared->tool_pid, 0);
	if (fd >= 0)
		fd = move_fd_above(fd, r->service_base);
	data->holder = fd;
	return fd < 0 ? fail(fd, "open a pidfd of the tool") : 0;
}

int memfd_in_namespaces(struct restore *r)
{
	struct memfd_restore *data = *restore_kind_data(r, &memfd_kind);
	struct restore_task *rt;
	int err;

	if (!data)
		return 0;
	err = open_holder(r, data);
	if (!err)
		err = memfd_take_inherited(r, data);
	restore_for_each_task(rt, r)
		for (size_t i = 0; rt->mm && i < rt->mm->n_vmas; i++)
			mark_late_seals(data, rt->mm->vmas[i]);
	for (struct record *rec = data->inodes.first; rec && !err; rec = rec->next) {
		struct memfd_inode *inode = (struct memfd_inode *)rec;
		int fd;

		if (!inode->used)
			continue;
		if (inode->entry->backing) {
			err = take_segment(r, inode);
			continue;
		}
		fd = make_inode(inode->entry);
		/* Below service_base, tasks close them before they open their own. */
		inode->fd = fd < 0 || data->holder >= 0 ? fd : move_fd_above(fd, r->service_base);
		if (inode->fd < 0)
			return fail(inode->fd, "create memfd %s", inode->entry->name);
		err = fill_inode(r, inode);
		if (!err)
			err = add_seals(inode, inode->entry->seals & ~inode->late_seals);
	}
	return err;
}

/* Seals that forbid mappings which exist now. */
int memfd_ready(struct restore *r)
{
	struct memfd_restore *data = *restore_kind_data(r, &memfd_kind);
	int err = 0;

	for (struct record *rec = data ? data->inodes.first : NULL; rec && !err; rec = rec->next) {
		const struct memfd_inode *inode = (const struct memfd_inode *)rec;

		if (inode->late_seals)
			err = add_seals(inode, inode->late_seals);
	}
	return err;
}
