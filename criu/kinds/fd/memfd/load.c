// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <inttypes.h>
#include <linux/memfd.h>
#include <string.h>
#include <sys/mman.h>
#include "kinds/fd/memfd/internal.h"
#include "memory/shmem.h"
#include "util/log.h"

/* Requests it from module memory, with this size. */
static int want_segment(struct restore *r, const MemfdInodeEntry *entry)
{
	uint32_t huge = entry->hugetlb_flag & ~(uint32_t)MFD_HUGETLB;

	if (hash_put(&r->plan.segments_wanted, memfd_segment_key(entry),
		     entry->has_hugetlb_flag ? MAP_HUGETLB | huge : 0) ||
	    hash_put(&r->plan.segment_sizes, memfd_segment_key(entry), entry->size))
		return fail(-ENOMEM, "shared memory");
	return 0;
}

static int inode_load(struct restore *r, struct memfd_restore *data, const MemfdInodeEntry *entry)
{
	const uint32_t huge_bits = MFD_HUGETLB | (uint32_t)MFD_HUGE_MASK << MFD_HUGE_SHIFT;
	struct memfd_inode *inode;

	if (strlen(entry->name) > MEMFD_NAME_MAX || entry->size > INT64_MAX || entry->seals & ~MEMFD_SEALS_KNOWN ||
	    entry->hugetlb_flag & ~huge_bits || entry->backing > MEMFD_BACKING_SYSV)
		return fail(-EBADMSG,
			    "memfd.img: inode %" PRIu64 " (%s, %" PRIu64 " bytes, seals %#x, flags %#x) cannot be",
			    entry->inode_id, entry->name, entry->size, entry->seals, entry->hugetlb_flag);
	if (record_find(&data->inodes, 0, entry->inode_id))
		return fail(-EBADMSG, "memfd.img: inode %" PRIu64 " is a duplicate", entry->inode_id);
	inode = record_new(&r->arena, &data->inodes, 0, entry->inode_id, sizeof(*inode));
	if (!inode)
		return fail(-ENOMEM, "memfd");
	inode->entry = entry;
	inode->fd = -1;
	if (entry->backing)
		return want_segment(r, entry);
	return entry->size ? shmem_check(r, entry->shmid, NULL) : 0;
}

static int inodes_load(struct restore *r, struct memfd_restore **ret_data)
{
	struct memfd_restore *data = kind_data_of(&r->arena, restore_kind_data(r, &memfd_kind), sizeof(*data));
	struct restore_records entries;
	int err;

	if (!data)
		return fail(-ENOMEM, "memfd");
	*ret_data = data;
	if (data->loaded)
		return 0;
	data->loaded = true;
	err = restore_read_records(r, IMAGE_MEMFD_INODE, 0, &memfd_inode_entry__descriptor, &entries);
	for (size_t i = 0; !err && i < entries.n; i++)
		err = inode_load(r, data, (const MemfdInodeEntry *)entries.v[i]);
	return err;
}

int memfd_load(struct restore *r, struct file *file, void *state)
{
	const MemfdFileEntry *entry = file->entry->memfd;
	struct memfd_restore *data = NULL;
	struct memfd_inode *inode;
	struct memfd_file *known;
	struct memfd *st = state;
	int err = inodes_load(r, &data);

	if (err)
		return err;
	if (!entry || entry->id != file->id)
		return fail(-EBADMSG, "files.img: file %u is a memfd and has no entry", file->id);
	inode = record_find(&data->inodes, 0, entry->inode_id);
	if (!inode)
		return fail(-EBADMSG, "files.img: file %u: there is no inode %u in memfd.img", file->id,
			    entry->inode_id);
	st->entry = entry;
	st->inode = inode;
	err = memfd_find_inherited(r, data, file, st);
	if (err || st->inherited)
		return err;
	known = record_new(&r->arena, &data->files, 0, file->id, sizeof(*known));
	if (!known)
		return fail(-ENOMEM, "memfd");
	known->inode = inode;
	inode->used = true;
	if (!inode->first && !inode->entry->backing && !entry->path && !entry->reopened &&
	    memfd_may_be_first(entry->flags))
		inode->first = file->id;
	return 0;
}
