/* SPDX-License-Identifier: GPL-2.0-only */
/* Internal to this module: definitions for dumps. */
#pragma once
#include "kernel/maps.h"
#include "kernel/pagemap_scan.h"
#include "memory/page_run.h"
#include "run/dump.h"
#include "util/array.h"

ARRAY_OF(vma_list, VmaEntry *);

struct segment; /* segments.c */
struct tracking; /* tracking.h */

ARRAY_OF(policy_array, struct parasite_vma_policy);

/* Pages that another process has at the same addresses: the same ones, shared copy-on-write. */
struct same_run {
	uint64_t start, end;
	uint32_t process;
};
ARRAY_OF(same_runs, struct same_run);

/* Memory that is not saved. */
struct excluded_range {
	uint64_t start, end;
};
ARRAY_OF(excluded_ranges, struct excluded_range);

/* State of one task: dt->memory, from memory_task_begin() on. */
struct memory_task {
	struct memory_arch *arch; /* ARCH/address_space.c: CPU-specific properties; NULL: none */
	struct policy_array policies; /* of its mappings that have one, sorted by address */
	size_t policy_next;
	struct aio_context *aio; /* its contexts of io_setup(2), sorted by id */
	size_t nr_aio;
	struct page_regions pages, guards; /* of private memory: present pages; guard markers */
	bool huge_seen; /* huge ones have the category PAGE_HUGE */
	size_t guard_next;
	struct same_runs same; /* same_pages.c, same_hints.c: pages of other processes, sorted */
	bool same_is_hint; /* they are written all the same */
	struct excluded_ranges excluded; /* excluded.c: sorted */
	struct task_track *track; /* tracking.h: which pages have been written since an earlier dump; NULL: unknown */
	struct snapshot *snapshot; /* snapshot.c: source of pages if the task runs already; NULL: none */
};

/* State of one dump: dump->memory, from memory_dump_begin() on. */
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
	struct segment *first_segment; /* shared memory: segments.c */
	struct hash segments, segments_saved;
	struct hash shmids, shmids_taken; /* inode of memory without a path -> its id in images, and vice versa */
	struct hash huge_files; /* inodes of huge pages that are not used by a single private mapping only */
	struct aio_reader *aio_reader; /* aio_save.c; NULL: not opened yet, or see aio_unreadable */
	int aio_unreadable;
	struct tracking *tracking; /* tracking.h */
	enum { LEASES_UNKNOWN, NO_WRITE_LEASE, WRITE_LEASES } leases; /* mapped_open.c: what /proc/locks lists */
	_Atomic uint32_t direct_warned; /* direct_io.h: a warning */
};

/* segments.c: closes their descriptors. Called by dump_life.c. */
void segments_close(struct memory_dump *memory);

/* A shared segment that a VMA maps: saved once, completely, after all tasks. */
int shmem_note(struct dump *dump, struct dump_task *dt, const struct kernel_vma *v, const VmaEntry *e);
/* A SysV segment that is mapped by a task in an IPC namespace that is not the tool's: is it a segment of that one? */
int shmem_check_ns(struct dump *dump, struct dump_task *dt, const struct kernel_vma *v);
/* ARCH/address_space.c: saves the results of memory_arch_ask(). */
int memory_arch_save(struct dump *dump, struct dump_task *dt, MmEntry *mm);
/* map_count.c: warns about more mappings than could be restored here. */
void map_count_survey(const struct dump_task *dt);
/*
 * Fills pages and guards of dt->memory, from dt->maps. Arms the pages that are tracked from now on. Regions of pages have
 * the categories PAGES_UNCHANGED, PAGE_HUGE, both or none.
 */
#define PAGES_UNCHANGED (1ull << 63) /* tracked, and not written since they were armed */
int memory_scan_pages(struct dump *dump, struct dump_task *dt);
/* classify_pages.c: appends; adjacent ones become one. 0 or -ENOMEM. */
int memory_add_same(struct same_runs *same, const struct same_run *run);
/* classify_pages.c: the first one that does not end before @addr. */
size_t memory_same_at(const struct same_runs *same, uint64_t addr);
/* excluded.c: fills dt->memory->excluded, as the options say. */
int memory_find_excluded(struct dump *dump, struct dump_task *dt);
/* Private pages that may be shared copy-on-write: no huge pages of hugetlbfs, nor what the kernel provides. */
bool memory_vma_has_plain_pages(const VmaEntry *vma);
/*
 * classify_pages.c: every run of private pages, in ascending order, from the scan; each within @vma. Stops when @fn
 * fails.
 */
typedef int (*page_run_fn)(void *arg, const VmaEntry *vma, const struct page_run *run);
int memory_classify_pages(const struct dump_task *dt, const MmEntry *mm, page_run_fn fn, void *arg);
/* lazy_save.c: a run that may be lazy, without the pages that are written all the same. */
int memory_lazy_split(const struct dump_task *dt, const VmaEntry *vma, const struct page_run *run, page_run_fn fn,
		      void *arg);
