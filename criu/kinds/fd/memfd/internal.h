/* SPDX-License-Identifier: GPL-2.0-only */
/* Between the files of this kind. */
#pragma once
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include "kinds/fd/record_table.h"
#include "kinds/kinds.h"
#include "memfd.pb-c.h"
#include "run/dump.h"
#include "run/restore.h"

#ifndef F_SEAL_EXEC
#define F_SEAL_EXEC 0x0020
#endif
#define MEMFD_SEALS_KNOWN (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_FUTURE_WRITE | F_SEAL_EXEC)

enum { MEMFD_BACKING_ANONYMOUS = 1, MEMFD_BACKING_SYSV = 2 }; /* memfd_inode_entry.backing */

/* Could it be what memfd_create(2) gave? That one does not know O_DIRECT. */
static inline bool memfd_may_be_first(unsigned flags)
{
	return !(flags & (O_PATH | O_DIRECT)) && (flags & O_ACCMODE) == O_RDWR;
}

/* ---- dump ---- */

struct memfd_seen {
	struct record record; /* device; inode, of a SysV segment with SYSV_INODE */
	uint32_t inode_id;
	bool runs; /* may be executed: it matters whether anybody may write to it */
	bool asked, has_writers; /* the kernel, whether it counts any */
	MemfdFileEntry *writer; /* the first description that could be that of memfd_create(2) */
	unsigned nr_writers; /* descriptions of the tree that write */
};

/* Writes the inode's record, and its memory. save_inode.c */
int memfd_save_inode(struct dump *dump, int local, const struct stat *st, const char *link, struct memfd_seen *seen);
/* Finds out, once, whether anybody writes; only while it matters. writers.c */
void memfd_check_writers(struct dump *dump, struct memfd_seen *seen, int local);
/* save.c */
int memfd_save(struct dump *dump, const struct fd_probe *probe, FileEntry *entry);
int memfd_save_end(struct dump *dump);

/* ---- restore ---- */

struct memfd_inode {
	struct record record; /* 0, inode id */
	const MemfdInodeEntry *entry;
	bool used;
	/* Above service_base, inherited by all tasks, or the tool's own; set by in_namespaces. Not counted as a writer. */
	int fd;
	uint32_t first; /* the file that gets this very description, 0: none */
	int late_seals; /* to be set when all memory is mapped */
};

struct memfd {
	const MemfdFileEntry *entry;
	const struct memfd_inode *inode;
};

struct memfd_file {
	struct record record; /* 0, file id */
	struct memfd_inode *inode;
};

struct memfd_restore {
	bool loaded;
	int holder; /* pidfd of the tool, if the tasks have no space to inherit them; else -1 */
	struct record_table inodes; /* struct memfd_inode */
	struct record_table files; /* struct memfd_file */
};

/* Of its segment, among those that memory/ makes. */
static inline uint64_t memfd_segment_key(const MemfdInodeEntry *entry)
{
	return segment_key(entry->shmid, entry->backing == MEMFD_BACKING_SYSV);
}

/* load.c */
int memfd_load(struct restore *r, struct file *file, void *state);
/* make.c: in the process that makes what all tasks inherit */
int memfd_in_namespaces(struct restore *r);
/* When all memory is mapped. */
int memfd_ready(struct restore *r);
/* open.c: in the task that gets the descriptor */
int memfd_open(struct restore *r, struct file *file, const void *state);
