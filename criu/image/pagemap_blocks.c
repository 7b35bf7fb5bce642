// SPDX-License-Identifier: GPL-2.0-only
#include "image/pagemap_blocks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"

/*
 * Two layouts of compressed pages were published under the same number of pagemap_entry. The other one (July 2026) has
 * fields 7 and 8 besides; which of its numbers became final is not known.
 */
#define OTHER_LAYOUT                                                                                                   \
	"compressed pages in a layout that is not supported (fields 7 and 8 of the entry): dump again, or decompress " \
	"them with the program that wrote them"

static bool is_other(uint32_t tag)
{
	return tag == 7 || tag == 8;
}

int pagemap_blocks_check(struct image_reader *img, const PagemapEntry *entry)
{
	for (unsigned i = 0; i < entry->base.n_unknown_fields; i++)
		if (is_other(entry->base.unknown_fields[i].tag))
			return image_refuse(img, OTHER_LAYOUT);
	if (!entry->blocks)
		return 0;
	if (!(entry->has_flags && entry->flags & PAGEMAP_PRESENT))
		return image_refuse(img, "blocks of pages that are not present");
	if (entry->blocks->has_codec && entry->blocks->codec != PAGEMAP_LZ4 && entry->blocks->codec != PAGEMAP_ZSTD)
		return image_refuse(img, "pages are compressed by method %u, which is not known", entry->blocks->codec);
	return 0;
}

/* A varint of protobuf; NULL if it does not end. */
static const uint8_t *skip_number(const uint8_t *at, const uint8_t *end, uint64_t *ret)
{
	*ret = 0;
	for (unsigned shift = 0; at < end && shift < 64; shift += 7) {
		*ret |= (uint64_t)(*at & 0x7f) << shift;
		if (!(*at++ & 0x80))
			return at;
	}
	return NULL;
}

/* Is there a field of the other layout? Only the kinds of values that an entry has are understood. */
static bool has_other_field(const uint8_t *at, size_t len)
{
	const uint8_t *end = at + len;
	uint64_t key, value;

	while (at && at < end) {
		at = skip_number(at, end, &key);
		if (!at || is_other((uint32_t)(key >> 3)))
			return at;
		at = (key & 7) == 0 || (key & 7) == 2 ? skip_number(at, end, &value) : NULL;
		if (at && (key & 7) == 2)
			at = value <= (uint64_t)(end - at) ? at + value : NULL;
	}
	return false;
}

int pagemap_blocks_explain(struct image_reader *img, int err)
{
	size_t len;
	const uint8_t *record = err == -EBADMSG ? image_last_record(img, &len) : NULL;

	return record && has_other_field(record, len) ? image_refuse(img, OTHER_LAYOUT) : err;
}

static size_t blocks_size(size_t nr, size_t nr_sums)
{
	return sizeof(struct pagemap_blocks) + (nr + 1 + nr_sums) * sizeof(uint64_t);
}

/* Pages of block @i. */
static uint64_t pages_of(const struct pagemap_blocks *b, size_t i)
{
	return MIN_OF((uint64_t)b->block_pages, b->nr_pages - i * (uint64_t)b->block_pages);
}

static int check_shape(struct image_reader *img, const PagemapBlocks *from, uint64_t nr_pages)
{
	uint64_t pages = from->pages_per_block;

	if (!pages || pages > PAGEMAP_BLOCK_MAX / PAGE_SZ)
		return image_refuse(img, "blocks of %lu pages; the largest has %lu", pages,
				    PAGEMAP_BLOCK_MAX / PAGE_SZ);
	if (from->n_block_sizes != nr_pages / pages + !!(nr_pages % pages))
		return image_refuse(img, "%zu blocks for %lu pages", from->n_block_sizes, nr_pages);
	if (from->n_checksums && from->n_checksums != from->n_block_sizes)
		return image_refuse(img, "%zu checksums of %zu blocks", from->n_checksums, from->n_block_sizes);
	return 0;
}

int pagemap_blocks_load(struct image_reader *img, struct pagemap *map, const PagemapBlocks *from,
			struct pagemap_run *run, uint64_t *offset)
{
	int err = check_shape(img, from, run->nr_pages);
	struct pagemap_blocks *b;

	if (err)
		return err;
	b = malloc(blocks_size(from->n_block_sizes, from->n_checksums));
	if (!b)
		return -ENOMEM;
	*b = (struct pagemap_blocks){ .next = map->first_blocks,
				      .codec = from->has_codec ? (enum pagemap_codec)from->codec : PAGEMAP_LZ4,
				      .block_pages = from->pages_per_block,
				      .nr_pages = run->nr_pages,
				      .nr = from->n_block_sizes,
				      .has_sums = from->n_checksums };
	map->first_blocks = b;
	map->has_blocks = true;
	b->at[0] = 0;
	for (size_t i = 0; i < b->nr; i++) {
		if (from->block_sizes[i] > pages_of(b, i) * PAGE_SZ)
			return image_refuse(img, "block %zu has %u bytes for %lu pages", i, from->block_sizes[i],
					    pages_of(b, i));
		b->at[i + 1] = b->at[i] + from->block_sizes[i];
	}
	for (size_t i = 0; i < from->n_checksums; i++)
		b->at[b->nr + 1 + i] = from->checksums[i];
	if (b->at[b->nr] != from->total_payload_size)
		return image_refuse(img, "its blocks have %lu bytes, not %lu", b->at[b->nr], from->total_payload_size);
	run->blocks = b;
	run->offset = run->flags & PAGEMAP_ALIGNED ? ROUND_UP(*offset, PAGE_SZ) : *offset;
	if (run->offset < *offset || __builtin_add_overflow(run->offset, b->at[b->nr], offset))
		return image_refuse(img, "more than 2^64 bytes of pages");
	return 0;
}

void pagemap_blocks_free(struct pagemap *map)
{
	while (map->first_blocks) {
		struct pagemap_blocks *next = map->first_blocks->next;

		free(map->first_blocks);
		map->first_blocks = next;
	}
}

void pagemap_blocks_take(struct pagemap *map, struct pagemap *parent)
{
	struct pagemap_blocks **last = &map->first_blocks;

	while (*last)
		last = &(*last)->next;
	*last = parent->first_blocks;
	parent->first_blocks = NULL;
	map->has_blocks |= parent->has_blocks;
}

static struct pagemap_blocks *copy_blocks(const struct pagemap_blocks *from, struct arena *arena)
{
	size_t size = blocks_size(from->nr, from->has_sums ? from->nr : 0);
	struct pagemap_blocks *copy = arena_alloc(arena, size);

	if (!copy)
		return NULL;
	memcpy(copy, from, size);
	copy->next = copy->kept = NULL;
	return copy;
}

int pagemap_blocks_keep(struct pagemap *kept, struct pagemap_blocks *originals, struct arena *arena)
{
	/* The map may have been kept before, in another arena. */
	for (struct pagemap_blocks *b = originals; b; b = b->next)
		b->kept = NULL;
	for (size_t i = 0; i < kept->nr_runs; i++) {
		struct pagemap_blocks *from = kept->runs[i].blocks;

		if (!from)
			continue;
		if (!from->kept)
			from->kept = copy_blocks(from, arena);
		if (!from->kept)
			return -ENOMEM;
		kept->runs[i].blocks = from->kept;
	}
	return 0;
}
