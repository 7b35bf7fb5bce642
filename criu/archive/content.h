/* SPDX-License-Identifier: GPL-2.0-only */
/* Saving: the data of a file, without its holes. lseek(2) SEEK_DATA */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include "util/array.h"

struct archive;
struct archive_entry;

struct content_piece {
	uint64_t at, len;
};
ARRAY_OF(content_pieces, struct content_piece);

struct content {
	uint64_t size;
	struct content_pieces pieces; /* of data, in order */
};

void content_free(struct content *c);
#define _cleanup_content_ __attribute__((cleanup(content_free)))

/* @blocks: of 512 bytes; if there is one for every byte, there are no holes. */
int content_find(int fd, uint64_t size, uint64_t blocks, struct content *ret);
/* The same for file systems that report no holes. ramfs: what is in the page cache. mincore(2) */
int content_find_resident(int fd, uint64_t size, struct content *ret);
/* hugetlbfs: pages of @page bytes that are not zero. */
int content_find_nonzero(int fd, uint64_t size, uint64_t page, struct content *ret);
/*
 * The map of a file that is only a hole would be wrong with libarchive 3.6: its last byte counts as data. A reader leaves
 * it out, if it is 0.
 */
void content_describe(const struct content *c, struct archive_entry *entry);
/* After the header. -EPROTO: an error of @tar; others are errors of @fd, -EBUSY: it has become shorter. */
int content_write(const struct content *c, int fd, struct archive *tar, char *buffer, size_t size);
