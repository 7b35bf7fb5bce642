/* SPDX-License-Identifier: GPL-2.0-only */
/* Checksums of pages that are supplied from the images (--page-checksums): found by where a page is, as ranges of memory move. */
#pragma once
#include <stdint.h>
#include "util/array.h"

struct pagemap;

struct summed_run {
	int fd;
	uint64_t at, end; /* in it */
	const uint32_t *sums; /* of each page; owned by the page map */
};
ARRAY_OF(lazy_sums, struct summed_run);

/* Those of a map that stays. 0 or -ENOMEM. */
int lazy_sums_add(struct lazy_sums *sums, const struct pagemap *map);
/* After the last of them. */
void lazy_sums_sort(struct lazy_sums *sums);
/* Reads whole pages. -EBADMSG: one of them is not what was saved. */
int lazy_sums_read(const struct lazy_sums *sums, int fd, void *to, uint64_t len, uint64_t at);
