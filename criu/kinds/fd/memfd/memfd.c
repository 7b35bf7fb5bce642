// SPDX-License-Identifier: GPL-2.0-only
/*
 * memfd_create(2): an inode without a name, memfd.img, and any number of descriptions and mappings of it. The tool
 * creates every inode before it forks; tasks open it through /proc/self/fd.
 */
#include <sys/vfs.h>
#include "kernel/shm.h"
#include "kinds/fd/memfd/internal.h"
#include "memory/shmem.h"
#include "run/describe.h"

/* Files of shared anonymous memory and SysV segments, too: images represent them as memfds. */
bool memfd_is(int local, const char *link)
{
	struct statfs fs;
	struct stat st;

	return shm_sort_by_link(link) != SHM_NONE && !fstat(local, &st) && !fstatfs(local, &fs) &&
	       shmem_sort(&st, fs.f_type, link) != SHM_NONE;
}

static bool memfd_claims(const struct fd_probe *probe)
{
	return probe->link && shmem_sort(&probe->st, probe->fs_magic, probe->link) != SHM_NONE;
}

static void memfd_describe(const FileEntry *entry, struct description *d)
{
	const MemfdInodeEntry *inode =
		entry->memfd ? d->finder->find(d->finder, IMAGE_MEMFD_INODE, entry->memfd->inode_id) : NULL;

	if (inode)
		describe_add(d, "memfd %s, %llu bytes", inode->name, (unsigned long long)inode->size);
}

const struct fd_kind memfd_kind = {
	.name = "memfd",
	.image_type = FD_TYPES__MEMFD,
	.for_untrusted = true,
	.state_size = sizeof(struct memfd),
	.claims = memfd_claims,
	.save = memfd_save,
	.load = memfd_load,
	.open = memfd_open,
	.describe = memfd_describe,
};

const struct run_kind memfd_run = {
	.name = "memfd",
	.save_end = memfd_save_end,
	.in_namespaces = memfd_in_namespaces,
	.ready = memfd_ready,
};
