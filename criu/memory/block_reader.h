/* SPDX-License-Identifier: GPL-2.0-only */
/* Reads pages that an image has in blocks (pagemap_run.blocks). The last block is remembered. */
#pragma once
#include "image/pagemap.h"

struct decoder;

struct block_reader {
	struct decoder *decoder; /* NULL until needed, as the others */
	char *payload, *pages;
	size_t room; /* of each */
	bool fixed; /* -ENOMEM where that is too little: nothing is allocated */
	/* What @pages are. */
	const struct pagemap_blocks *blocks;
	size_t index;
};

/* [addr, addr + len) of @run, which contains it, and whose blocks (not NULL) are in @fd. */
struct block_range {
	int fd;
	const struct pagemap_run *run;
	uint64_t addr, len;
};
/* Has everything that reading blocks of @blocks needs: then a bare thread can do it (bare_thread.h), if it is @fixed. -ENOMEM */
int block_reader_reserve(struct block_reader *br, const struct pagemap_blocks *blocks);
/* -EBADMSG: a block is damaged. */
int block_reader_read(struct block_reader *br, const struct block_range *range, void *to);
/* Has the kernel begin to read what block_reader_read() is going to read. */
void block_range_expect(const struct block_range *range);
/* A page, valid until the next call; NULL if it cannot be read. */
const void *block_reader_page(struct block_reader *br, int fd, const struct pagemap_run *run, uint64_t addr);
/* When the blocks that it has read may be gone. */
void block_reader_forget(struct block_reader *br);
void block_reader_free(struct block_reader *br);

/* The end of the range from @addr on, within @run and up to @end, that is stored, or that is zeros without payload. */
uint64_t block_stretch(const struct pagemap_run *run, uint64_t addr, uint64_t end, bool *ret_zero);
