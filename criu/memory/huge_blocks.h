/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Pages into huge pages of a mapping of ours, whatever this host's policy on them is: read into huge pages elsewhere
 * and moved (UFFDIO_MOVE, userfaultfd(2)), which leaves no flag on the mapping, unlike MADV_HUGEPAGE. As the restorer
 * does it for memory that is not shared (pie/restorer/pages.c).
 */
#pragma once
#include "memory/page_source.h"

struct huge_blocks {
	int uffd; /* -1: none */
	bool failed; /* it is not to be had here */
	void *stage;
};
#define HUGE_BLOCKS_CLOSED ((struct huge_blocks){ .uffd = -1 })

/* Some pages of a source, and where they go. */
struct block_read {
	const struct page_source *source;
	const struct pagemap_run *run;
	uint64_t addr, len; /* in @run */
	char *to; /* where huge pages begin; @len is a number of them */
	uint64_t map_start, map_end; /* the mapping that @to lies in */
};

/* A negative errno, not logged, when they cannot be read. Where no huge page can be had they come in small ones. */
int huge_blocks_read(struct huge_blocks *b, const struct block_read *what);
void huge_blocks_close(struct huge_blocks *b);
