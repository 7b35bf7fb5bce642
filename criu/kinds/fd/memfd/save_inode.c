// SPDX-License-Identifier: GPL-2.0-only
/* The entry of one inode: its name, size, seals, owner, and backing memory. */
#include <errno.h>
#include <linux/magic.h>
#include <linux/memfd.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/vfs.h>
#include "base/cleanup.h"
#include "kernel/device.h"
#include "kernel/shm.h"
#include "kinds/fd/memfd/internal.h"
#include "kinds/fd/reopen.h"
#include "memory/shmem.h"
#include "util/log.h"
#include "util/str.h"

#define MEMFD_PREFIX "/memfd:"
#define DELETED " (deleted)"

static char *memfd_name(struct dump *dump, const char *link)
{
	char *name = dump_strdup(dump, str_has_prefix(link, MEMFD_PREFIX) ? link + strlen(MEMFD_PREFIX) : link);

	if (name)
		name[strlen(name) - strlen(DELETED)] = 0;
	return name;
}

static bool has_other_ipc_namespaces(const struct dump *dump)
{
	const struct ns *ns;

	ns_for_each(ns, &dump->namespaces, NS_IPC)
		if (!ns->own)
			return true;
	return false;
}

/* Its id in images, and the type of its memory. */
static int fill_backing(struct dump *dump, int local, const struct stat *st, const char *link, MemfdInodeEntry *entry)
{
	enum shm_sort sort = shm_sort_by_link(link);
	uint32_t kdev = dev_to_kdev(st->st_dev);
	int err;

	if (sort == SHM_SYSV && dump->inside) {
		dump_blocker(
			dump, dump_task_of(dump->tree.root), -1,
			"a process of its tree has System V segment %lu by a descriptor or a private mapping, which is not supported in a user namespace of its own: close or unmap it",
			st->st_ino);
		return 0;
	}
	if (sort == SHM_SYSV && has_other_ipc_namespaces(dump)) {
		dump_blocker(
			dump, dump_task_of(dump->tree.root), -1,
			"a process of its tree has System V segment %lu by a descriptor or a private mapping, which is not implemented in IPC namespaces: close or unmap it",
			st->st_ino);
		return 0;
	}
	if (sort == SHM_SYSV) {
		err = shmem_note_sysv(dump, local, st, entry->hugetlb_flag ? MAP_HUGETLB | entry->hugetlb_flag : 0);
		if (!err) {
			entry->has_backing = true;
			entry->backing = MEMFD_BACKING_SYSV;
			entry->shmid = st->st_ino;
		}
		if (err != -ESRCH)
			return err;
		kdev = ~kdev;
	}
	if (sort == SHM_ANONYMOUS) {
		entry->has_backing = true;
		entry->backing = MEMFD_BACKING_ANONYMOUS;
		err = entry->has_hugetlb_flag ? shmem_note_huge(dump, kdev, st->st_ino) : 0;
		if (err)
			return err;
	}
	return shmem_id(dump, kdev, st->st_ino, entry->has_hugetlb_flag, &entry->shmid);
}

int memfd_save_inode(struct dump *dump, int local, const struct stat *st, const char *link, struct memfd_seen *seen)
{
	MemfdInodeEntry entry = MEMFD_INODE_ENTRY__INIT;
	_cleanup_close_ int own = -1;
	struct image_writer *img;
	struct statfs fs;
	int seals, err;

	/* O_PATH descriptors do not support seals. */
	if (fcntl(local, F_GETFL) & O_PATH) {
		own = reopen_fd(local, O_RDONLY);
		if (own < 0)
			return fail(own, "open %s", link);
		local = own;
	}
	seals = fcntl(local, F_GET_SEALS);
	if (seals < 0 || fstatfs(local, &fs) < 0)
		return fail(-errno, "seals of %s", link);
	if (seals & ~MEMFD_SEALS_KNOWN)
		return fail(-EOPNOTSUPP, "%s has seals (%#x) that are not supported", link, seals);
	if (fs.f_type == HUGETLBFS_MAGIC) {
		entry.has_hugetlb_flag = true;
		entry.hugetlb_flag = MFD_HUGETLB | (uint32_t)__builtin_ctzl(fs.f_bsize) << MFD_HUGE_SHIFT;
	}
	entry.name = memfd_name(dump, link);
	if (!entry.name)
		return fail(-ENOMEM, "memfd");
	err = fill_backing(dump, local, st, link, &entry);
	if (err)
		return err;
	dump_check_owner(dump, dump_task_of(dump->tree.root), link, st);
	entry.uid = dump_uid_of(dump, st->st_uid);
	entry.gid = dump_gid_of(dump, st->st_gid);
	entry.size = st->st_size;
	entry.seals = seals;
	entry.inode_id = seen->inode_id;
	/* Without x bits, and with that seal, it can never be executed. */
	seen->runs = !entry.has_hugetlb_flag && ((st->st_mode & 0111) || !(seals & F_SEAL_EXEC));
	entry.has_mode = true;
	entry.mode = st->st_mode;
	err = dump_shared_image(dump, IMAGE_MEMFD_INODE, &img);
	if (err)
		return err;
	err = image_write_record(img, &entry.base);
	if (err)
		return fail(err, "%s", image_store_error(dump->dir));
	return shmem_save(dump, local, entry.size, entry.shmid, SHMEM_KEEP_ZEROS);
}
