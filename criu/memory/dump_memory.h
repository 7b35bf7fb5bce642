/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of this module share while dumping. */
#pragma once
#include "kernel/maps.h"
#include "memory/page_run.h"
#include "run/dump.h"
#include "util/array.h"

ARRAY_OF(vma_list, VmaEntry *);

struct segment; /* segments.c */

/* Of one dump: dump->memory, from memory_dump_begin() on. */
struct memory_dump {
	struct hash mapped_ids; /* device, inode, access -> file id of a mapping */
	struct {
		uint64_t key;
		uint32_t id;
	} mapped_last;
	struct {
		uint64_t file; /* as kernel_task.exe_file; 0: unknown */
		uint32_t id;
	} exe_last;
	char *page_buffer; /* copy_pages.c: of one thread; NULL until it is needed */
	struct segment *segments; /* shared */
	struct hash segments_seen, segments_saved;
	struct hash shmids, shmids_taken; /* inode of memory without a path -> its number in images, and back */
	struct hash huge_files; /* inodes of huge pages that are not one private mapping's alone */
	struct aio_reader *aio_reader; /* aio_save.c; NULL: not asked for yet, or aio_unreadable says why not */
	int aio_unreadable;
};

/* segments.c: their descriptors. dump_life.c calls it. */
void segments_close(struct memory_dump *memory);

/* A shared segment that a VMA maps: saved once, after all tasks, whole. */
int shmem_note(struct dump *dump, struct dump_task *dt, const struct kernel_vma *v, const VmaEntry *e);
/* A SysV segment that is mapped by a task in an IPC namespace that is not the tool's: is it a segment of that one? */
int shmem_check_ns(struct dump *dump, struct dump_task *dt, const struct kernel_vma *v);
/* ARCH/address_space.c: what memory_arch_ask() has found. */
int memory_arch_save(struct dump *dump, struct dump_task *dt, MmEntry *mm);
/* map_count.c: warns of more mappings than could be restored here. */
void map_count_survey(const struct dump_task *dt);
/* Fills dt->pages and dt->guards, by dt->maps. */
int memory_scan_pages(struct dump *dump, struct dump_task *dt);
/* classify_pages.c: every run of private pages, in rising order, by the scan; each within @vma. Ends when @fn fails. */
typedef int (*page_run_fn)(void *arg, const VmaEntry *vma, const struct page_run *run);
int memory_classify_pages(const struct dump_task *dt, const MmEntry *mm, page_run_fn fn, void *arg);
