/* SPDX-License-Identifier: GPL-2.0-only */
/* Internal to this kind. */
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

#define MEMFD_NAME_MAX 249 /* memfd_create(2) */

enum { MEMFD_BACKING_ANONYMOUS = 1, MEMFD_BACKING_SYSV = 2 }; /* memfd_inode_entry.backing */

/* Could it be the description that memfd_create(2) returned? That call does not support O_DIRECT. */
static inline bool memfd_may_be_first(unsigned flags)
{
	return !(flags & (O_PATH | O_DIRECT)) && (flags & O_ACCMODE) == O_RDWR;
}

/* ---- dump ---- */

struct memfd_seen {
	struct record record; /* device; inode, for a SysV segment with SYSV_INODE */
	uint32_t inode_id;
	bool runs; /* may be executed: it matters whether there are writers */
	bool asked, has_writers; /* writers.c has checked; the kernel counts writers */
	MemfdFileEntry *writer; /* the first description that could be that of memfd_create(2) */
	unsigned nr_writers; /* writable descriptions in the tree */
};

/* Writes the entry of the inode, and its memory. save_inode.c */
int memfd_save_inode(struct dump *dump, int local, const struct stat *st, const char *link, struct memfd_seen *seen);
/* Checks once whether there are writers, if it matters. writers.c */
void memfd_check_writers(struct dump *dump, struct memfd_seen *seen, int local);
/* save.c */
int memfd_save(struct dump *dump, const struct fd_probe *probe, FileEntry *entry);
int memfd_save_end(struct dump *dump);

/* ---- restore ---- */

struct memfd_inode {
	struct record record; /* 0, inode id */
	const MemfdInodeEntry *entry;
	bool used;
	/*
	 * Above service_base, inherited by all tasks, or the tool's own; set by in_namespaces. Not counted as a writer.
	 */
	int fd;
	uint32_t first; /* the file that gets this description itself, 0: none */
	int late_seals; /* to be added when all memory is mapped */
};

/* A file in place of which the user passes a descriptor. */
struct memfd_inherited {
	struct record record; /* 0, file id */
	const struct inherit_fd *given;
	int fd; /* above service_base, set by in_namespaces */
};

struct memfd {
	const MemfdFileEntry *entry;
	const struct memfd_inode *inode;
	const struct memfd_inherited *inherited; /* NULL: it is created */
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
	struct record_table inherited; /* struct memfd_inherited */
};

/* Key of its segment among those of module memory. */
static inline uint64_t memfd_segment_key(const MemfdInodeEntry *entry)
{
	return segment_key(entry->shmid, entry->backing == MEMFD_BACKING_SYSV);
}

/* load.c */
int memfd_load(struct restore *r, struct file *file, void *state);
/* inherited.c; the second is called where descriptors for all tasks are opened */
int memfd_find_inherited(struct restore *r, struct memfd_restore *data, const struct file *file, struct memfd *st);
int memfd_take_inherited(struct restore *r, struct memfd_restore *data);
/* make.c: in the process whose descriptors all tasks inherit */
int memfd_in_namespaces(struct restore *r);
/* When all memory is mapped. */
int memfd_ready(struct restore *r);
/* open.c: in the task that gets the descriptor */
int memfd_open(struct restore *r, struct file *file, const void *state);
