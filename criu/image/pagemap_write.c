// SPDX-License-Identifier: GPL-2.0-only
#include "image/pagemap.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "base/cleanup.h"
#include "image/store_ops.h"
#include "image/writer.h"
#include "pagemap.pb-c.h"

struct pagemap_writer {
	struct image_store *dir;
	struct image_writer *img;
	/* The last run, which may still grow; empty while nr_pages is 0. */
	uint64_t vaddr, nr_pages;
	uint32_t flags;
	uint32_t of_process, same_as;
	uint32_t next_same_as; /* of runs that are added */
	/* Of its pages, if they have any. */
	uint32_t *sums;
	size_t nr_sums, cap_sums;
};

static int start_map(struct image_store *dir, enum image_type type, uint64_t id, struct pagemap_writer **ret_map,
		     uint32_t *ret_pages_id)
{
	_cleanup_pagemap_writer_ struct pagemap_writer *map = calloc(1, sizeof(*map));
	PagemapHead head = PAGEMAP_HEAD__INIT;
	int err;

	if (!map)
		return image_store_fail(dir, -ENOMEM, "out of memory");
	if (type != IMAGE_PAGEMAP && type != IMAGE_SHMEM_PAGEMAP)
		return image_store_fail(dir, -EINVAL, "type %d is not a page map", (int)type);
	map->dir = dir;
	head.pages_id = image_store_next_pages_id(dir);
	err = image_create(dir, type, id, &map->img);
	if (!err)
		err = image_write_record(map->img, &head.base);
	if (err)
		return err;
	*ret_map = steal_ptr(&map);
	*ret_pages_id = head.pages_id;
	return 0;
}

int pagemap_create(struct image_store *dir, enum image_type type, uint64_t id, struct pagemap_writer **ret_map,
		   struct image_extent *ret_pages)
{
	struct pagemap_writer *map;
	uint32_t pages_id;
	int err = start_map(dir, type, id, &map, &pages_id);

	if (err)
		return err;
	err = image_store_create(dir, IMAGE_PAGES, pages_id, ret_pages);
	if (err)
		pagemap_discard(map);
	else
		*ret_map = map;
	return err;
}

int pagemap_create_sequential(struct image_store *dir, enum image_type type, uint64_t id,
			      struct pagemap_writer **ret_map, struct image_writer **ret_pages)
{
	struct pagemap_writer *map;
	uint32_t pages_id;
	int err = start_map(dir, type, id, &map, &pages_id);

	if (err)
		return err;
	err = image_create(dir, IMAGE_PAGES, pages_id, ret_pages);
	if (err)
		pagemap_discard(map);
	else
		*ret_map = map;
	return err;
}

static int write_last_run(struct pagemap_writer *map)
{
	PagemapEntry entry = PAGEMAP_ENTRY__INIT;

	if (!map->nr_pages)
		return 0;
	entry.vaddr = map->vaddr;
	entry.compat_nr_pages = 0;
	entry.has_flags = true;
	entry.flags = map->flags;
	entry.has_nr_pages = true;
	entry.nr_pages = map->nr_pages;
	entry.has_of_process = map->of_process != 0;
	entry.of_process = map->of_process;
	entry.has_same_as = map->same_as != 0;
	entry.same_as = map->same_as;
	entry.n_page_checksums = map->nr_sums;
	entry.page_checksums = map->sums;
	return image_write_record(map->img, &entry.base);
}

static int add_sums(struct pagemap_writer *map, const uint32_t *sums, uint64_t n)
{
	uint64_t need = map->nr_sums + n;

	if (need > map->cap_sums) {
		size_t cap = MAX_OF(2 * map->cap_sums, need);
		uint32_t *grown = reallocarray(map->sums, cap, sizeof(*grown));

		if (!grown)
			return image_store_fail(map->dir, -ENOMEM, "page map: out of memory");
		map->sums = grown;
		map->cap_sums = cap;
	}
	memcpy(map->sums + map->nr_sums, sums, n * sizeof(*sums));
	map->nr_sums += n;
	return 0;
}

/* The last run is complete: another one begins. */
static int begin_run(struct pagemap_writer *map, uint64_t vaddr, uint64_t nr_pages, uint32_t flags, uint32_t of_process)
{
	int err = write_last_run(map);

	map->vaddr = vaddr;
	map->nr_pages = nr_pages;
	map->flags = flags;
	map->of_process = of_process;
	map->same_as = flags & PAGEMAP_PRESENT ? map->next_same_as : 0;
	map->nr_sums = 0;
	return err;
}

void pagemap_same_as(struct pagemap_writer *map, uint32_t process)
{
	map->next_same_as = process;
}

/* Do such pages belong to the last run if they follow it? */
static bool is_like_last(const struct pagemap_writer *map, uint32_t flags, bool summed)
{
	uint32_t same_as = flags & PAGEMAP_PRESENT ? map->next_same_as : 0;

	return flags == map->flags && same_as == map->same_as && !map->of_process && summed == (map->nr_sums != 0);
}

int pagemap_add(struct pagemap_writer *map, uint64_t vaddr, uint64_t nr_pages, uint32_t flags)
{
	return pagemap_add_summed(map, vaddr, nr_pages, flags, NULL);
}

int pagemap_add_summed(struct pagemap_writer *map, uint64_t vaddr, uint64_t nr_pages, uint32_t flags,
		       const uint32_t *sums)
{
	uint64_t end = map->vaddr + map->nr_pages * PAGE_SZ, bytes;
	int err;

	if (!nr_pages || vaddr % PAGE_SZ || vaddr < end || flags & ~(uint32_t)(PAGEMAP_FLAGS ^ PAGEMAP_ALIGNED) ||
	    (flags & PAGEMAP_PARENT && flags & PAGEMAP_PRESENT) || __builtin_mul_overflow(nr_pages, PAGE_SZ, &bytes) ||
	    vaddr + bytes < vaddr)
		return image_store_fail(map->dir, -EINVAL, "page map: invalid run of %lu pages at %#lx with flags %#x",
					(unsigned long)nr_pages, (unsigned long)vaddr, flags);
	if (map->nr_pages && vaddr == end && is_like_last(map, flags, !!sums)) {
		map->nr_pages += nr_pages;
		return sums ? add_sums(map, sums, nr_pages) : 0;
	}
	err = begin_run(map, vaddr, nr_pages, flags, 0);
	return err || !sums ? err : add_sums(map, sums, nr_pages);
}

int pagemap_add_of_process(struct pagemap_writer *map, uint64_t vaddr, uint64_t nr_pages, uint32_t flags,
			   uint32_t of_process)
{
	uint64_t end = map->vaddr + map->nr_pages * PAGE_SZ;

	if (!nr_pages || vaddr % PAGE_SZ || vaddr < end || !of_process ||
	    (flags & ~(uint32_t)PAGEMAP_LAZY) != PAGEMAP_PARENT)
		return image_store_fail(map->dir, -EINVAL, "page map: invalid run of %lu pages of process %u at %#lx",
					(unsigned long)nr_pages, of_process, (unsigned long)vaddr);
	if (map->nr_pages && vaddr == end && flags == map->flags && of_process == map->of_process) {
		map->nr_pages += nr_pages;
		return 0;
	}
	return begin_run(map, vaddr, nr_pages, flags, of_process);
}

int pagemap_add_blocks(struct pagemap_writer *map, uint64_t vaddr, uint64_t nr_pages, uint32_t flags,
		       const struct pagemap_block_sizes *sizes)
{
	PagemapEntry entry = PAGEMAP_ENTRY__INIT;
	PagemapBlocks blocks = PAGEMAP_BLOCKS__INIT;
	uint64_t end = map->vaddr + map->nr_pages * PAGE_SZ;
	int err;

	if (!nr_pages || vaddr % PAGE_SZ || vaddr < end || !(flags & PAGEMAP_PRESENT))
		return image_store_fail(map->dir, -EINVAL, "page map: invalid blocks of %lu pages at %#lx",
					(unsigned long)nr_pages, (unsigned long)vaddr);
	err = write_last_run(map);
	if (err)
		return err;
	/* Only its end is still needed. */
	map->vaddr = vaddr + nr_pages * PAGE_SZ;
	map->nr_pages = map->nr_sums = 0;
	blocks.n_block_sizes = sizes->n;
	blocks.block_sizes = (uint32_t *)sizes->v;
	blocks.n_checksums = sizes->n;
	blocks.checksums = (uint32_t *)sizes->sums;
	blocks.total_payload_size = sizes->total;
	blocks.pages_per_block = sizes->block_pages;
	blocks.has_codec = sizes->codec != PAGEMAP_LZ4;
	blocks.codec = sizes->codec;
	entry.vaddr = vaddr;
	entry.has_flags = entry.has_nr_pages = true;
	entry.flags = flags;
	entry.nr_pages = nr_pages;
	entry.has_same_as = map->next_same_as != 0;
	entry.same_as = map->next_same_as;
	entry.blocks = &blocks;
	return image_write_record(map->img, &entry.base);
}

int pagemap_close(struct pagemap_writer *map)
{
	int err;

	write_last_run(map); /* its error is sticky: image_close() returns it */
	err = image_close(map->img);
	free(map->sums);
	free(map);
	return err;
}

void pagemap_discard(struct pagemap_writer *map)
{
	if (!map)
		return;
	image_discard(map->img); /* NULL is allowed */
	free(map->sums);
	free(map);
}
