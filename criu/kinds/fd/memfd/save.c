// SPDX-License-Identifier: GPL-2.0-only
/*
 * Descriptions of memfds, and files that represent mappings of them; each inode is saved when it is seen for the first
 * time.
 */
#include <errno.h>
#include "kernel/shm.h"
#include "kinds/fd/memfd/internal.h"
#include "util/log.h"

/* The inode number of a SysV segment is its id. */
#define SYSV_INODE (1ull << 63)

struct memfd_entry {
	struct record record; /* inode id, flags */
	uint32_t file_id;
};

struct memfd_dump {
	struct record_table inodes; /* struct memfd_seen */
	struct record_table paths; /* struct memfd_entry: those that represent mappings */
};

static int seen_of(struct dump *dump, int local, const struct stat *st, const char *link, struct memfd_seen **ret_seen)
{
	struct memfd_dump *data = kind_data_of(&dump->arena, dump_kind_data(dump, &memfd_kind), sizeof(*data));
	uint64_t ino = st->st_ino | (shm_sort_by_link(link) == SHM_SYSV ? SYSV_INODE : 0);
	struct memfd_seen *seen = data ? record_find(&data->inodes, st->st_dev, ino) : NULL;
	int err = 0;

	if (!data)
		return fail(-ENOMEM, "memfd");
	if (!seen) {
		seen = record_new(&dump->arena, &data->inodes, st->st_dev, ino, sizeof(*seen));
		if (!seen)
			return fail(-ENOMEM, "memfd");
		seen->inode_id = data->inodes.n;
		err = memfd_save_inode(dump, local, st, link, seen);
	}
	*ret_seen = seen;
	return err;
}

static bool writes(unsigned flags)
{
	return !(flags & O_PATH) && (flags & O_ACCMODE) != O_RDONLY;
}

int memfd_save(struct dump *dump, const struct fd_probe *probe, FileEntry *entry)
{
	MemfdFileEntry *file = dump_alloc(dump, sizeof(*file));
	struct memfd_seen *seen;
	int err;

	if (!file)
		return fail(-ENOMEM, "memfd");
	memfd_file_entry__init(file);
	file->id = entry->id;
	file->flags = probe->flags;
	file->pos = probe->pos;
	entry->memfd = file;
	err = dump_fown(dump, probe, &file->fown);
	if (!err)
		err = seen_of(dump, probe->local, &probe->st, probe->link, &seen);
	if (err)
		return err;
	file->inode_id = seen->inode_id;
	seen->nr_writers += writes(file->flags);
	if (memfd_may_be_first(file->flags) && !seen->writer) {
		seen->writer = file;
		memfd_check_writers(dump, seen, probe->local);
	}
	return 0;
}

/* If several are writable, any of them may be the first one: use the first that was seen. */
int memfd_save_end(struct dump *dump)
{
	struct memfd_dump *data = *dump_kind_data(dump, &memfd_kind);

	for (struct record *rec = data ? data->inodes.first : NULL; rec; rec = rec->next) {
		struct memfd_seen *seen = (struct memfd_seen *)rec;

		if (seen->writer && seen->nr_writers == 1 && seen->has_writers)
			seen->writer->has_reopened = seen->writer->reopened = true;
	}
	return 0;
}

int memfd_path_id(struct dump *dump, const struct dump_path *path, uint32_t *ret_id)
{
	FileEntry entry = FILE_ENTRY__INIT;
	MemfdFileEntry file = MEMFD_FILE_ENTRY__INIT;
	FownEntry fown = FOWN_ENTRY__INIT;
	struct memfd_dump *data;
	struct memfd_entry *known;
	struct memfd_seen *seen;
	struct stat st;
	int err;

	if (fstat(path->local, &st) < 0)
		return fail(-errno, "stat %s", path->link);
	err = seen_of(dump, path->local, &st, path->link, &seen);
	if (err)
		return err;
	file.inode_id = seen->inode_id;
	data = *dump_kind_data(dump, &memfd_kind);
	known = record_find(&data->paths, file.inode_id, path->flags);
	if (known) {
		*ret_id = known->file_id;
		return 0;
	}
	known = record_new(&dump->arena, &data->paths, file.inode_id, path->flags, sizeof(*known));
	if (!known)
		return fail(-ENOMEM, "memfd");
	known->file_id = dump_new_file_id(dump);
	entry.type = FD_TYPES__MEMFD;
	entry.id = file.id = known->file_id;
	entry.memfd = &file;
	file.flags = path->flags;
	file.fown = &fown;
	file.has_path = file.path = true;
	/* Mapped with the description of memfd_create(2), unless that is impossible. */
	if (writes(path->flags))
		memfd_check_writers(dump, seen, path->local);
	file.has_reopened = file.reopened = writes(path->flags) && seen->has_writers && !seen->nr_writers;
	*ret_id = known->file_id;
	return dump_write_file_entry(dump, &entry);
}
