/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reads pages into huge pages of a mapping of ours, whatever this host's policy for them is: into huge pages elsewhere,
 * which are moved (UFFDIO_MOVE, userfaultfd(2)). Unlike MADV_HUGEPAGE, that leaves no flag on the mapping. The restorer
 * does the same for memory that is not shared (pie/restorer/pages.c).
 */
#pragma once
#include "memory/page_source.h"

struct huge_blocks {
	int uffd; /* -1: none */
	bool failed; /* not available here */
	void *stage;
};
#define HUGE_BLOCKS_CLOSED ((struct huge_blocks){ .uffd = -1 })

/* Some pages of a source, and their destination. */
struct block_read {
	const struct page_source *source;
	const struct pagemap_run *run;
	uint64_t addr, len; /* in @run */
	char *to; /* start of huge pages; @len is a multiple of their size */
	uint64_t map_start, map_end; /* the mapping that contains @to */
};

/* The steps of it, for memory that several threads read at a time. Negative errno, not logged. */
int huge_blocks_open(struct huge_blocks *b);
/*
 * From now on memory that is missing in the mapping [@start, @end) can only be moved there: whoever touches it waits, as nothing handles
 * faults. Until huge_blocks_close().
 */
int huge_blocks_register(const struct huge_blocks *b, uint64_t start, uint64_t end);
/* Fresh memory of @len bytes, in *@stage (NULL at first), if possible huge pages. In any thread, as the next. */
int huge_stage_renew(void **stage, size_t len);
int huge_blocks_move(const struct huge_blocks *b, void *to, const void *stage, size_t len);

/* A negative errno, not logged, if reading fails. Where no huge page is available, small ones are used. */
int huge_blocks_read(struct huge_blocks *b, const struct block_read *what);
/* May pages of @v be huge ones? Those of hugetlb, which are always, are not meant. */
bool vma_may_be_huge(const VmaEntry *v);
void huge_blocks_close(struct huge_blocks *b);
