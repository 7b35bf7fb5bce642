// SPDX-License-Identifier: GPL-2.0-only
/*
 * Arbitrary bytes as a page map and its parent's. The first two bytes give the offset at which one ends and the other
 * starts; each gets a header and entries encoded in bytes: pages to skip, number of pages, flags. Odd first byte: bytes
 * are used as is.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../unit/image_helper.h"
#include "base/bits.h"
#include "base/cleanup.h"
#include "image/dir.h"
#include "image/pagemap.h"
#include "pagemap.pb-c.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *paths[2];

static void set_up(void)
{
	_cleanup_free_ char *link = NULL, *zeros = calloc(64, PAGE_SZ);

	setenv("TMPDIR", "/dev/shm", 0);
	for (int i = 0; i < 2; i++) {
		paths[i] = scratch_create();
		spew(paths[i], "pages-1.img", zeros, 64 * PAGE_SZ);
	}
	if (asprintf(&link, "%s/parent", paths[0]) < 0 || symlink(paths[1], link))
		abort();
}

static void take_down(void)
{
	scratch_remove(paths[0]);
	scratch_remove(paths[1]);
}

static size_t put_record(uint8_t *at, const ProtobufCMessage *msg)
{
	uint32_t size = protobuf_c_message_pack(msg, at + 4);

	memcpy(at, &size, 4);
	return 4 + size;
}

static void write_map(const char *path, const uint8_t *data, size_t size, bool entries)
{
	uint32_t magics[2] = { IMAGE_MAGIC_COMMON, image_spec(IMAGE_PAGEMAP)->magic };
	_cleanup_free_ uint8_t *image = malloc(64 + size * 40);
	PagemapHead head = PAGEMAP_HEAD__INIT;
	uint64_t page = 0;
	size_t len = 8;

	memcpy(image, magics, 8);
	head.pages_id = 1;
	len += put_record(image + len, &head.base);
	for (; entries && size >= 3; data += 3, size -= 3) {
		PagemapEntry entry = PAGEMAP_ENTRY__INIT;

		page += data[0] == 255 ? -1 : data[0] % 16;
		entry.vaddr = page * PAGE_SZ;
		entry.has_nr_pages = entry.has_flags = true;
		entry.nr_pages = data[1] == 255 ? UINT64_MAX / PAGE_SZ : data[1] % 16;
		entry.flags = data[2] > 250 ? data[2] : data[2] % 8;
		page += entry.nr_pages;
		len += put_record(image + len, &entry.base);
	}
	if (!entries) {
		memcpy(image + len, data, size);
		len += size;
	}
	spew(path, "pagemap-1.img", image, len);
}

static void check(const struct pagemap *map)
{
	uint64_t end = 0;

	for (size_t i = 0; i < map->nr_runs; i++) {
		const struct pagemap_run *run = &map->runs[i];
		uint64_t bytes = run->nr_pages * PAGE_SZ;

		if (run->vaddr < end || !run->nr_pages || run->flags & PAGEMAP_PARENT)
			abort();
		end = run->vaddr + bytes;
		if (!(run->flags & PAGEMAP_PRESENT))
			continue;
		if (run->source >= map->nr_sources || pagemap_source(map, run) < 0 ||
		    run->offset + bytes > 64 * PAGE_SZ)
			abort();
		if (pagemap_find(map, run->vaddr) != run || pagemap_find(map, end - 1) != run)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_image_store_ struct image_store *dir = NULL;
	_cleanup_pagemap_ struct pagemap *map = NULL;
	size_t first;

	if (!paths[0]) {
		set_up();
		atexit(take_down);
	}
	if (size < 2)
		return 0;
	first = MIN_OF((size_t)data[1] * 3, size - 2);
	write_map(paths[0], data + 2, first, !(data[0] & 1));
	write_map(paths[1], data + 2 + first, size - 2 - first, !(data[0] & 1));
	if (image_dir_open(paths[0], &dir))
		abort();
	if (!pagemap_load(dir, IMAGE_PAGEMAP, 1, &map))
		check(map);
	else if (!image_store_error(dir)[0])
		abort();
	return 0;
}
