/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of this module share while dumping. */
#pragma once
#include "kernel/maps.h"
#include "memory/page_run.h"
#include "run/dump.h"
#include "util/array.h"

ARRAY_OF(vma_list, VmaEntry *);

/* A shared segment that a VMA maps: saved once, after all tasks, whole. */
int shmem_note(struct dump *dump, struct dump_task *dt, const struct kernel_vma *v, const VmaEntry *e);
/* ARCH/address_space.c: what memory_arch_ask() has found. */
int memory_arch_save(struct dump *dump, struct dump_task *dt, MmEntry *mm);
/* map_count.c: warns of more mappings than could be restored here. */
void map_count_survey(const struct dump_task *dt);
/* Fills dt->pages and dt->guards, by dt->maps. */
int memory_scan_pages(struct dump *dump, struct dump_task *dt);
/* classify_pages.c: every run of private pages, in rising order, by the scan; each within @vma. Ends when @fn fails. */
typedef int (*page_run_fn)(void *arg, const VmaEntry *vma, const struct page_run *run);
int memory_classify_pages(const struct dump_task *dt, const MmEntry *mm, page_run_fn fn, void *arg);
