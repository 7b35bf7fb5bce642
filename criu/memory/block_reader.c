/* SPDX-License-Identifier: GPL-2.0-only */
#include "memory/block_reader.h"
#include <compel/syscall.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include "base/bits.h"
#include "memory/codec.h"
#include "util/crc32c.h"

/* A block of a run: its pages, by their number in the entry. */
struct block {
	const struct pagemap_blocks *of;
	size_t index;
	uint64_t first, nr;
	uint64_t len; /* of the payload */
	uint64_t offset; /* in the file */
};

static struct block block_of(const struct pagemap_run *run, uint64_t page)
{
	const struct pagemap_blocks *of = run->blocks;
	size_t i = page / of->block_pages;
	uint64_t first = i * (uint64_t)of->block_pages;

	return (struct block){ .of = of,
			       .index = i,
			       .first = first,
			       .nr = MIN_OF((uint64_t)of->block_pages, of->nr_pages - first),
			       .len = of->at[i + 1] - of->at[i],
			       .offset = run->offset + of->at[i] };
}

static uint64_t page_in_entry(const struct pagemap_run *run, uint64_t addr)
{
	return run->skip + (addr - run->vaddr) / PAGE_SZ;
}

int block_reader_reserve(struct block_reader *br, const struct pagemap_blocks *blocks)
{
	size_t room = blocks->block_pages * PAGE_SZ;

	if (br->room >= room)
		return 0;
	if (br->fixed)
		return -ENOMEM;
	block_reader_free(br);
	/* Fills its tables, once. */
	crc32c(0, "", 0);
	br->decoder = decoder_new();
	br->payload = malloc(room);
	br->pages = malloc(room);
	br->room = room;
	if (br->decoder && br->payload && br->pages)
		return 0;
	block_reader_free(br);
	return -ENOMEM;
}

/* By direct system calls, which leave errno alone: in a bare thread that is another thread's. */
static int read_payload(int fd, const struct block *b, char *to)
{
	for (uint64_t done = 0; done < b->len;) {
		long n =
			sys_call4(__NR_pread64, fd, (long)(to + done), (long)(b->len - done), (long)(b->offset + done));

		if (n == -EINTR)
			continue;
		if (n <= 0)
			return n ? (int)n : -ENODATA;
		done += (uint64_t)n;
	}
	return 0;
}

/* All of it. */
static int decode(struct block_reader *br, int fd, const struct block *b, void *to)
{
	uint64_t len = b->nr * PAGE_SZ;
	char *payload;
	int err;

	if (!b->len) {
		memset(to, 0, len);
		return 0;
	}
	payload = b->len == len ? to : br->payload;
	err = read_payload(fd, b, payload);
	if (!err && b->of->has_sums && crc32c(0, payload, b->len) != pagemap_block_sum(b->of, b->index))
		err = -EBADMSG;
	if (err || payload == to)
		return err;
	return decoder_run(br->decoder, &(struct coded_block){ b->of->codec, payload, b->len }, to, len);
}

static int remember(struct block_reader *br, int fd, const struct block *b)
{
	int err;

	if (br->blocks == b->of && br->index == b->index)
		return 0;
	br->blocks = NULL;
	err = decode(br, fd, b, br->pages);
	if (err)
		return err;
	br->blocks = b->of;
	br->index = b->index;
	return 0;
}

int block_reader_read(struct block_reader *br, const struct block_range *range, void *to)
{
	const struct pagemap_run *run = range->run;
	uint64_t page = page_in_entry(run, range->addr);
	char *out = to, *end = out + range->len;
	int err = block_reader_reserve(br, run->blocks);

	while (!err && out < end) {
		struct block b = block_of(run, page);
		uint64_t bytes = MIN_OF((b.first + b.nr - page) * PAGE_SZ, (uint64_t)(end - out));

		if (bytes == b.nr * PAGE_SZ) {
			err = decode(br, range->fd, &b, out);
		} else {
			err = remember(br, range->fd, &b);
			if (!err)
				memcpy(out, br->pages + (page - b.first) * PAGE_SZ, bytes);
		}
		out += bytes;
		page = b.first + b.nr;
	}
	return err;
}

void block_range_expect(const struct block_range *range)
{
	uint64_t page = page_in_entry(range->run, range->addr);
	struct block first = block_of(range->run, page), last = block_of(range->run, page + range->len / PAGE_SZ - 1);
	uint64_t len = last.offset + last.len - first.offset;

	/* None would be all. */
	if (len)
		sys_call4(__NR_fadvise64, range->fd, (long)first.offset, (long)len, POSIX_FADV_WILLNEED);
}

const void *block_reader_page(struct block_reader *br, int fd, const struct pagemap_run *run, uint64_t addr)
{
	uint64_t page = page_in_entry(run, addr);
	struct block b = block_of(run, page);

	if (block_reader_reserve(br, run->blocks) || remember(br, fd, &b))
		return NULL;
	return br->pages + (page - b.first) * PAGE_SZ;
}

void block_reader_forget(struct block_reader *br)
{
	br->blocks = NULL;
}

void block_reader_free(struct block_reader *br)
{
	decoder_free(br->decoder);
	free(br->payload);
	free(br->pages);
	*br = (struct block_reader){ 0 };
}

uint64_t block_stretch(const struct pagemap_run *run, uint64_t addr, uint64_t end, bool *ret_zero)
{
	struct block b = block_of(run, page_in_entry(run, addr));
	bool zero = !b.len;

	*ret_zero = zero;
	while (addr < end && !b.len == zero) {
		addr = run->vaddr + (b.first + b.nr - run->skip) * PAGE_SZ;
		if (addr < end)
			b = block_of(run, page_in_entry(run, addr));
	}
	return MIN_OF(addr, end);
}
