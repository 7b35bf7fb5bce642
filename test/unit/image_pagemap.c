// SPDX-License-Identifier: GPL-2.0-only
/* Page maps: round trips, maps on top of parents, and maps that are refused since they are wrong. */
#include "image_helper.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bits.h"
#include "base/cleanup.h"
#include "image/dir.h"
#include "image/pagemap.h"
#include "pagemap.pb-c.h"

struct row {
	uint64_t page, nr; /* in pages */
	uint32_t flags; /* and PROCESS() */
};
#define PROCESS(id) ((id) << 8) /* has the pages */
#define SAME_AS(id) ((id) << 16)

/* Page k of the pages image is filled with `mark + k`. */
static int add_map(struct image_store *dir, uint64_t id, const struct row *rows, size_t n, char mark)
{
	_cleanup_pagemap_writer_ struct pagemap_writer *map = NULL;
	struct image_extent pages;
	_cleanup_close_ int fd = -1;
	char page[PAGE_SZ];
	uint64_t nr_pages = 0;
	int err;

	err = pagemap_create(dir, IMAGE_PAGEMAP, id, &map, &pages);
	fd = pages.fd;
	for (size_t i = 0; i < n && !err; i++) {
		uint32_t process = rows[i].flags >> 8 & 0xff;

		pagemap_same_as(map, rows[i].flags >> 16);
		err = process ? pagemap_add_of_process(map, rows[i].page * PAGE_SZ, rows[i].nr, rows[i].flags & 0xff,
						       process) :
				pagemap_add(map, rows[i].page * PAGE_SZ, rows[i].nr, rows[i].flags & 0xff);
	}
	for (size_t i = 0; i < n; i++)
		nr_pages += rows[i].flags & PAGEMAP_PRESENT ? rows[i].nr : 0;
	if (err)
		return err;
	for (uint64_t k = 0; k < nr_pages; k++) {
		memset(page, mark + k, PAGE_SZ);
		if (pwrite(fd, page, PAGE_SZ, k * PAGE_SZ) != (ssize_t)PAGE_SZ)
			return -EIO;
	}
	return pagemap_close(steal_ptr(&map));
}

static int write_map(struct image_store *dir, const struct row *rows, size_t n, char mark)
{
	int err = image_store_begin(dir) ?: add_map(dir, 5, rows, n, mark);

	if (err)
		image_store_abort(dir);
	return err ?: image_store_commit(dir);
}

/* The content at `page` according to the map: the byte it is filled with, or -1. */
static int page_at(const struct pagemap *map, uint64_t page)
{
	const struct pagemap_run *run = pagemap_find(map, page * PAGE_SZ);
	char byte;

	if (!run || run->vaddr > page * PAGE_SZ || !(run->flags & PAGEMAP_PRESENT))
		return -1;
	if (pread(pagemap_source(map, run), &byte, 1, run->offset + page * PAGE_SZ - run->vaddr) != 1)
		return -2;
	return byte;
}

static const char *test_round_trip(void)
{
	const struct row rows[] = { { 10, 2, 4 }, { 12, 1, 4 }, { 13, 2, 6 }, { 20, 3, 2 }, { 30, 1, 4 } };
	_cleanup_scratch_ char *path = scratch_create();
	_cleanup_image_store_ struct image_store *dir = NULL;
	_cleanup_pagemap_ struct pagemap *map = NULL;

	EXPECT(!image_dir_open(path, &dir));
	EXPECT(pagemap_load(dir, IMAGE_PAGEMAP, 5, &map) == -ENOENT);
	EXPECT(pagemap_load(dir, IMAGE_CORE, 5, &map) == -EINVAL);
	EXPECT(!write_map(dir, rows, ARRAY_SIZE(rows), 'a'));
	if (pagemap_load(dir, IMAGE_PAGEMAP, 5, &map))
		return image_store_error(dir);
	EXPECT(map->nr_runs == 4 && map->pages_id == 1 && map->runs[0].nr_pages == 3); /* the first two are one */
	EXPECT(page_at(map, 9) == -1 && page_at(map, 10) == 'a' && page_at(map, 12) == 'c' && page_at(map, 14) == 'e');
	EXPECT(page_at(map, 15) == -1 && page_at(map, 20) == -1 && page_at(map, 30) == 'f' && page_at(map, 31) == -1);
	EXPECT(map->runs[2].flags == PAGEMAP_LAZY);
	return NULL;
}

static const char *test_writer_refuses(void)
{
	const struct row bad[][2] = {
		{ { 10, 2, 4 }, { 11, 1, 4 } },
		{ { 10, 2, 4 }, { 9, 1, 4 } },
		{ { 10, 0, 4 } },
		{ { 10, 1, 5 } },
		{ { 10, 1, 8 } },
		{ { 10, UINT64_MAX / 4096, 4 } },
		{ { 10, UINT64_MAX, 4 } },
	};
	_cleanup_scratch_ char *path = scratch_create();
	_cleanup_image_store_ struct image_store *dir = NULL;

	EXPECT(!image_dir_open(path, &dir));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (write_map(dir, bad[i], 2, 'a') != -EINVAL)
			return because("bad run %zu is accepted", i);
	return NULL;
}

/* Raw entries, without the writer's checks; `compat` puts the count where older images have it. */
static int write_raw_map(struct image_store *dir, const struct row *rows, size_t n, bool compat, size_t pages)
{
	_cleanup_free_ char *zeros = calloc(pages + 1, PAGE_SZ);
	PagemapHead head = PAGEMAP_HEAD__INIT;
	struct image_extent extent = { .fd = -1 };
	_cleanup_close_ int fd = -1;
	struct image_writer *img;
	int err;

	head.pages_id = 1;
	err = image_store_begin(dir)				       ?:
		      image_store_create(dir, IMAGE_PAGES, 1, &extent) ?:
		      image_create(dir, IMAGE_PAGEMAP, 5, &img)	       ?:
									 image_write_record(img, &head.base);
	fd = extent.fd;
	for (size_t i = 0; i < n && !err; i++) {
		PagemapEntry entry = PAGEMAP_ENTRY__INIT;

		entry.vaddr = rows[i].page * PAGE_SZ;
		entry.has_flags = entry.has_nr_pages = !compat;
		entry.flags = rows[i].flags;
		entry.nr_pages = rows[i].nr;
		entry.compat_nr_pages = compat ? rows[i].nr : 0;
		entry.has_in_parent = entry.in_parent = compat && rows[i].flags & PAGEMAP_PARENT;
		err = image_write_record(img, &entry.base);
	}
	if (!err && write(fd, zeros, pages * PAGE_SZ) < 0)
		err = -errno;
	return err ?: image_close(img) ?: image_store_commit(dir);
}

static const char *expect_refused(const struct row *rows, size_t n, size_t pages, const char *why)
{
	_cleanup_scratch_ char *path = scratch_create();
	_cleanup_image_store_ struct image_store *dir = NULL;
	struct pagemap *map;

	EXPECT(!image_dir_open(path, &dir) && !write_raw_map(dir, rows, n, false, pages));
	EXPECT(pagemap_load(dir, IMAGE_PAGEMAP, 5, &map) == -EBADMSG);
	if (!strstr(image_store_error(dir), why))
		return because("\"%s\" lacks \"%s\"", image_store_error(dir), why);
	return NULL;
}

#define REFUSED(pages, why, ...)                                                                                      \
	expect_refused((const struct row[]){ __VA_ARGS__ }, ARRAY_SIZE(((const struct row[]){ __VA_ARGS__ })), pages, \
		       why)

static const char *test_reader_refuses(void)
{
	return REFUSED(9, "record 3 at byte ", { 10, 2, 4 }, { 11, 2, 4 })		   ?:
		       REFUSED(9, "below", { 10, 2, 4 }, { 8, 1, 4 })			   ?:
		       REFUSED(9, "exceed the address space", { 10, UINT64_MAX / 2, 4 })   ?:
		       REFUSED(9, "exceed the address space", { UINT64_MAX / 4096, 1, 4 }) ?:
		       REFUSED(9, "flags", { 10, 1, 8 })				   ?:
		       REFUSED(9, "flags", { 10, 1, 20 })				   ?:
		       REFUSED(9, "flags", { 10, 1, 5 })				   ?:
		       REFUSED(2, "which has 8192", { 10, 2, 4 }, { 13, 1, 4 })		   ?:
		       REFUSED(2, "which has 8192", { 10, 1ull << 50, 4 })		   ?:
		       REFUSED(2, "no link `parent`", { 10, 1, 1 });
}

static const char *test_old_format(void)
{
	const struct row rows[] = { { 10, 2, 4 }, { 14, 1, 4 } };
	_cleanup_scratch_ char *path = scratch_create();
	_cleanup_image_store_ struct image_store *dir = NULL;
	_cleanup_pagemap_ struct pagemap *map = NULL;

	EXPECT(!image_dir_open(path, &dir) && !write_raw_map(dir, rows, 2, true, 3));
	EXPECT(!pagemap_load(dir, IMAGE_PAGEMAP, 5, &map));
	EXPECT(map->nr_runs == 2 && map->runs[0].nr_pages == 2 && map->runs[1].offset == 2 * PAGE_SZ);
	EXPECT(map->runs[1].flags == PAGEMAP_PRESENT);
	return NULL;
}

/* Read once, and opened again without the file of the map. */
static const char *test_kept(void)
{
	const struct row rows[] = { { 10, 2, 4 }, { 20, 3, 2 }, { 30, 1, 4 } };
	_cleanup_scratch_ char *path = scratch_create();
	_cleanup_image_store_ struct image_store *dir = NULL;
	_cleanup_free_ char *map_file = NULL, *pages_file = NULL;
	struct pagemap *map = NULL, *kept = NULL, again;
	struct arena arena;

	arena_init(&arena);
	EXPECT(asprintf(&map_file, "%s/pagemap-5.img", path) > 0 && asprintf(&pages_file, "%s/pages-1.img", path) > 0);
	EXPECT(!image_dir_open(path, &dir) && !write_map(dir, rows, ARRAY_SIZE(rows), 'a'));
	EXPECT(!pagemap_load(dir, IMAGE_PAGEMAP, 5, &map) && !pagemap_keep(map, &arena, &kept) && kept);
	pagemap_free(map);
	EXPECT(!unlink(map_file));
	for (int i = 0; i < 2; i++) {
		EXPECT(!pagemap_reopen(dir, kept, &again) && again.nr_runs == 3);
		EXPECT(page_at(&again, 10) == 'a' && page_at(&again, 11) == 'b' && page_at(&again, 30) == 'c');
		EXPECT(page_at(&again, 12) == -1 && page_at(&again, 20) == -1);
		pagemap_close_sources(&again);
	}
	EXPECT(!truncate(pages_file, 3 * PAGE_SZ - 1));
	EXPECT(pagemap_reopen(dir, kept, &again) == -EBADMSG && strstr(image_store_error(dir), "needs 12288 bytes"));
	pagemap_close_sources(&again);
	EXPECT(!unlink(pages_file) && pagemap_reopen(dir, kept, &again) == -EBADMSG);
	arena_free(&arena);
	return NULL;
}

/* Pages of other processes of the same images: parts of their runs, holes, two processes; kept, and opened again. */
static const char *test_processes(void)
{
	const struct row first[] = { { 10, 4, 4 }, { 20, 2, 6 }, { 30, 1, 4 } };
	const struct row second[] = { { 5, 1, 4 }, { 40, 2, 4 } };
	const struct row own[] = { { 9, 1, 4 },
				   { 11, 6, PROCESS(7) | 1 },
				   { 17, 1, 4 },
				   { 18, 3, PROCESS(7) | 3 },
				   { 41, 1, PROCESS(8) | 1 },
				   { 50, 2, PROCESS(8) | 1 } };
	_cleanup_scratch_ char *path = scratch_create();
	_cleanup_image_store_ struct image_store *dir = NULL;
	_cleanup_free_ char *map_file = NULL;
	struct pagemap *map, *kept = NULL, again;
	struct arena arena;

	arena_init(&arena);
	EXPECT(asprintf(&map_file, "%s/pagemap-7.img", path) > 0 && !image_dir_open(path, &dir));
	EXPECT(!image_store_begin(dir) && !add_map(dir, 7, first, ARRAY_SIZE(first), 'a'));
	EXPECT(!add_map(dir, 8, second, ARRAY_SIZE(second), 'A'));
	EXPECT(!add_map(dir, 5, own, ARRAY_SIZE(own), 'x') && !image_store_commit(dir));
	if (pagemap_load(dir, IMAGE_PAGEMAP, 5, &map))
		return because("%s", image_store_error(dir));
	EXPECT(!pagemap_keep(map, &arena, &kept) && kept);
	pagemap_free(map);
	EXPECT(!unlink(map_file) && !pagemap_reopen(dir, kept, &again));
	EXPECT(again.nr_sources == 3 && again.nr_runs == 5);
	EXPECT(page_at(&again, 9) == 'x' && page_at(&again, 10) == -1 && page_at(&again, 11) == 'b');
	EXPECT(page_at(&again, 13) == 'd' && page_at(&again, 14) == -1 && page_at(&again, 17) == 'y');
	EXPECT(page_at(&again, 18) == -1 && page_at(&again, 20) == 'e' && page_at(&again, 21) == -1);
	EXPECT(page_at(&again, 30) == -1 && page_at(&again, 40) == -1 && page_at(&again, 41) == 'C');
	EXPECT(page_at(&again, 50) == -1);
	EXPECT(pagemap_find(&again, 20 * PAGE_SZ)->flags == (PAGEMAP_PRESENT | PAGEMAP_LAZY));
	EXPECT(pagemap_find(&again, 9 * PAGE_SZ)->of_process == 0);
	EXPECT(pagemap_find(&again, 11 * PAGE_SZ)->of_process == 7);
	pagemap_close_sources(&again);
	arena_free(&arena);
	return NULL;
}

/* Eight pages of process 7 from page 10 on, in blocks of four pages that are stored as they are. */
static int add_blocks(struct image_store *dir)
{
	const uint32_t sizes[] = { 4 * PAGE_SZ, 4 * PAGE_SZ }, sums[] = { 1, 2 };
	const struct pagemap_block_sizes blocks = { PAGEMAP_LZ4, 4, sizes, sums, 2, 8 * PAGE_SZ };
	_cleanup_pagemap_writer_ struct pagemap_writer *map = NULL;
	struct image_extent pages;
	int err = pagemap_create(dir, IMAGE_PAGEMAP, 7, &map, &pages);
	_cleanup_close_ int fd = pages.fd;

	err = err ?: pagemap_add_blocks(map, 10 * PAGE_SZ, 8, PAGEMAP_PRESENT, &blocks);
	if (!err && ftruncate(fd, 8 * PAGE_SZ) < 0)
		err = -EIO;
	return err ?: pagemap_close(steal_ptr(&map));
}

/* Runs in the same blocks have one copy of them, also when the map is kept twice. */
static const char *test_kept_blocks(void)
{
	const struct row own[] = { { 10, 1, PROCESS(7) | 1 }, { 12, 1, PROCESS(7) | 1 }, { 16, 2, PROCESS(7) | 1 } };
	_cleanup_scratch_ char *path = scratch_create();
	_cleanup_image_store_ struct image_store *dir = NULL;
	struct pagemap *map, *kept[2] = { 0 };
	struct arena arenas[2];

	EXPECT(!image_dir_open(path, &dir) && !image_store_begin(dir) && !add_blocks(dir));
	EXPECT(!add_map(dir, 5, own, ARRAY_SIZE(own), 'x') && !image_store_commit(dir));
	if (pagemap_load(dir, IMAGE_PAGEMAP, 5, &map))
		return because("%s", image_store_error(dir));
	EXPECT(map->nr_runs == 3 && map->runs[0].blocks && map->runs[0].blocks == map->runs[2].blocks);
	for (int i = 0; i < 2; i++) {
		const struct pagemap_blocks *copy;

		arena_init(&arenas[i]);
		EXPECT(!pagemap_keep(map, &arenas[i], &kept[i]) && kept[i] && kept[i]->nr_runs == 3);
		copy = kept[i]->runs[0].blocks;
		EXPECT(copy && copy != map->runs[0].blocks && copy->nr == 2 && copy->at[2] == 8 * PAGE_SZ &&
		       pagemap_block_sum(copy, 1) == 2);
		EXPECT(kept[i]->runs[1].blocks == copy && kept[i]->runs[2].blocks == copy);
		EXPECT(kept[i]->runs[2].skip == 6);
	}
	EXPECT(kept[0]->runs[0].blocks != kept[1]->runs[0].blocks);
	pagemap_free(map);
	arena_free(&arenas[0]);
	EXPECT(kept[1]->runs[2].blocks->block_pages == 4);
	arena_free(&arenas[1]);
	return NULL;
}

/* Of two processes, 5 and 7; the latter has one run. */
static int write_two(struct image_store *dir, const struct row *rows, size_t n, const struct row *of_7)
{
	return image_store_begin(dir)		     ?:
		       add_map(dir, 7, of_7, 1, 'A') ?:
		       add_map(dir, 5, rows, n, 'a') ?:
						       image_store_commit(dir);
}

/* What cannot be resolved. */
static const char *test_bad_processes(void)
{
	const struct row own[] = { { 10, 1, PROCESS(7) | 1 } }, plain[] = { { 10, 1, 4 } }, older[] = { { 9, 1, 4 } };
	const struct row reference[] = { { 10, 1, PROCESS(8) | 1 } }, itself[] = { { 10, 1, PROCESS(5) | 1 } };
	const struct row both[] = { { 9, 1, 1 }, { 10, 1, PROCESS(7) | 1 } };
	_cleanup_scratch_ char *path = scratch_create();
	_cleanup_scratch_ char *other = scratch_create();
	_cleanup_image_store_ struct image_store *dir = NULL, *parent = NULL;
	_cleanup_free_ char *link = NULL;
	struct pagemap *map;

	EXPECT(!image_dir_open(path, &dir) && !image_dir_open(other, &parent));
	EXPECT(!write_map(dir, own, 1, 'a') && pagemap_load(dir, IMAGE_PAGEMAP, 5, &map) == -EBADMSG);
	EXPECT(strstr(image_store_error(dir), "pagemap-7.img does not exist"));
	EXPECT(!write_two(dir, own, 1, reference) && pagemap_load(dir, IMAGE_PAGEMAP, 5, &map) == -EBADMSG);
	EXPECT(strstr(image_store_error(dir), "the page at 0xa000 of process 7 is not in these images"));
	EXPECT(!write_map(dir, itself, 1, 'a') && pagemap_load(dir, IMAGE_PAGEMAP, 5, &map) == -EBADMSG);
	EXPECT(strstr(image_store_error(dir), "refers to itself"));
	/* With older images, too. */
	EXPECT(asprintf(&link, "%s/parent", path) > 0 && !symlink(other, link));
	EXPECT(!write_map(parent, older, 1, 'a'));
	EXPECT(!write_two(dir, both, 2, plain) && pagemap_load(dir, IMAGE_PAGEMAP, 5, &map) == -EOPNOTSUPP);
	EXPECT(strstr(image_store_error(dir), "in one chain"));
	return NULL;
}

/* Three dumps, each on top of the previous one. */
static const char *test_parents(void)
{
	const struct row oldest[] = { { 10, 10, 4 }, { 30, 2, 6 } };
	const struct row middle[] = {
		{ 10, 3, 1 }, { 13, 2, 4 }, { 15, 5, 3 }, { 30, 2, 1 }, { 32, 2, 4 }, { 90, 1, 2 }
	};
	const struct row newest[] = { { 11, 6, 1 }, { 17, 1, 4 }, { 18, 2, 1 }, { 30, 4, 1 }, { 50, 1, 2 } };
	_cleanup_scratch_ char *path1 = scratch_create();
	_cleanup_scratch_ char *path2 = scratch_create();
	_cleanup_scratch_ char *path3 = scratch_create();
	_cleanup_image_store_ struct image_store *dir1 = NULL, *dir2 = NULL, *dir3 = NULL;
	_cleanup_free_ char *link2 = NULL, *link3 = NULL;
	struct pagemap *map, *kept = NULL;
	const char *want = "BCjkFGxIJ"; /* pages 11 to 19 */

	EXPECT(!image_dir_open(path1, &dir1) && !image_dir_open(path2, &dir2) && !image_dir_open(path3, &dir3));
	EXPECT(asprintf(&link2, "%s/parent", path2) > 0 && asprintf(&link3, "%s/parent", path3) > 0);
	EXPECT(!symlink(path1, link2) && !symlink(path2, link3));
	EXPECT(!write_map(dir1, oldest, ARRAY_SIZE(oldest), 'A'));
	EXPECT(!write_map(dir2, middle, ARRAY_SIZE(middle), 'j'));
	EXPECT(!write_map(dir3, newest, ARRAY_SIZE(newest), 'x'));
	if (pagemap_load(dir3, IMAGE_PAGEMAP, 5, &map))
		return image_store_error(dir3);
	EXPECT(map->nr_sources == 3);
	/* Such a map is not kept: it is read again. */
	EXPECT(!pagemap_keep(map, NULL, &kept) && !kept);
	for (int i = 0; i < 9; i++)
		if (page_at(map, 11 + i) != want[i])
			return because("page %d is %c instead of %c", 11 + i, page_at(map, 11 + i), want[i]);
	EXPECT(page_at(map, 10) == -1 && page_at(map, 20) == -1);
	EXPECT(page_at(map, 30) == 'K' && page_at(map, 31) == 'L' && page_at(map, 32) == 'l' &&
	       page_at(map, 33) == 'm');
	EXPECT(page_at(map, 50) == -1 && pagemap_find(map, 50 * PAGE_SZ)->flags == PAGEMAP_LAZY);
	/* Lazy where the parent's entry is, through two of them. */
	EXPECT(pagemap_find(map, 31 * PAGE_SZ)->flags == (PAGEMAP_PRESENT | PAGEMAP_LAZY));
	EXPECT(pagemap_find(map, 32 * PAGE_SZ)->flags == PAGEMAP_PRESENT);
	for (size_t i = 1; i < map->nr_runs; i++)
		EXPECT(map->runs[i - 1].vaddr + map->runs[i - 1].nr_pages * PAGE_SZ <= map->runs[i].vaddr);
	pagemap_free(map);
	/* A loop: the oldest dump refers to its child. */
	_cleanup_free_ char *link1 = NULL;
	EXPECT(asprintf(&link1, "%s/parent", path1) > 0 && !symlink(path3, link1));
	EXPECT(!write_raw_map(dir1, &(struct row){ 10, 1, 1 }, 1, true, 0));
	EXPECT(pagemap_load(dir3, IMAGE_PAGEMAP, 5, &map) == -ELOOP);
	/* A parent that lacks one page, and one that lacks the map. */
	EXPECT(!write_map(dir1, &(struct row){ 10, 9, 4 }, 1, 'A'));
	EXPECT(pagemap_load(dir3, IMAGE_PAGEMAP, 5, &map) == -EBADMSG);
	EXPECT(strstr(image_store_error(dir3), "no page at 0x13000"));
	EXPECT(!unlink(link3) && !symlink("/", link3));
	image_store_close(steal_ptr(&dir3));
	EXPECT(!image_dir_open(path3, &dir3) && pagemap_load(dir3, IMAGE_PAGEMAP, 5, &map) == -EBADMSG);
	EXPECT(strstr(image_store_error(dir3), "parent 1: open pagemap-5.img"));
	return NULL;
}

/* What is known of shared pages: runs that differ in it are not merged, and pages of a parent directory have lost it. */
static const char *test_same_as(void)
{
	const struct row older[] = { { 10, 4, 4 | SAME_AS(7) } };
	const struct row newer[] = { { 8, 2, 4 | SAME_AS(7) },	{ 10, 2, 1 },
				     { 20, 1, 4 | SAME_AS(7) }, { 21, 1, 4 | SAME_AS(7) },
				     { 22, 1, 4 | SAME_AS(8) }, { 23, 1, 4 },
				     { 24, 1, 2 | SAME_AS(7) } };
	_cleanup_scratch_ char *path1 = scratch_create();
	_cleanup_scratch_ char *path2 = scratch_create();
	_cleanup_image_store_ struct image_store *dir1 = NULL, *dir2 = NULL;
	_cleanup_free_ char *link = NULL;
	struct pagemap *map;

	EXPECT(!image_dir_open(path1, &dir1) && !image_dir_open(path2, &dir2));
	EXPECT(asprintf(&link, "%s/parent", path2) > 0 && !symlink(path1, link));
	EXPECT(!write_map(dir1, older, ARRAY_SIZE(older), 'A') && !write_map(dir2, newer, ARRAY_SIZE(newer), 'x'));
	EXPECT(!pagemap_load(dir1, IMAGE_PAGEMAP, 5, &map) && pagemap_find(map, 10 * PAGE_SZ)->same_as == 7);
	pagemap_free(map);
	EXPECT(!pagemap_load(dir2, IMAGE_PAGEMAP, 5, &map) && map->nr_runs == 6);
	EXPECT(pagemap_find(map, 9 * PAGE_SZ)->same_as == 7 && page_at(map, 11) == 'B');
	EXPECT(pagemap_find(map, 11 * PAGE_SZ)->same_as == 0 && pagemap_find(map, 21 * PAGE_SZ)->nr_pages == 2);
	EXPECT(pagemap_find(map, 22 * PAGE_SZ)->same_as == 8 && pagemap_find(map, 23 * PAGE_SZ)->same_as == 0);
	EXPECT(pagemap_find(map, 24 * PAGE_SZ)->same_as == 0);
	pagemap_free(map);
	/* It is that process, whatever it was the same as. */
	EXPECT(!image_store_begin(dir1) && !add_map(dir1, 5, older, 1, 'A'));
	EXPECT(!add_map(dir1, 6, &(struct row){ 10, 2, PROCESS(5) | 1 }, 1, 'x') && !image_store_commit(dir1));
	EXPECT(!pagemap_load(dir1, IMAGE_PAGEMAP, 6, &map) && map->runs[0].of_process == 5 && !map->runs[0].same_as);
	pagemap_free(map);
	return NULL;
}

/* Compared with a plain array: random maps over random maps. */
static const char *test_random(void)
{
	for (unsigned int seed = 1; seed < 300; seed++) {
		_cleanup_scratch_ char *path1 = scratch_create();
		_cleanup_scratch_ char *path2 = scratch_create();
		_cleanup_image_store_ struct image_store *dir1 = NULL, *dir2 = NULL;
		_cleanup_pagemap_ struct pagemap *map = NULL;
		_cleanup_free_ char *link = NULL;
		struct row below[60], above[60];
		size_t nr_below = 0, nr_above = 0;
		int want[60], k1 = 0, k2 = 0;

		srand(seed);
		for (int page = 0; page < 60; page++) {
			int in_parent = rand() % 4 ? 'A' + k1 : -1, kind = rand() % 3;

			want[page] = -1;
			if (in_parent > 0) {
				below[nr_below++] = (struct row){ page, 1, rand() % 2 ? 4 : 6 };
				k1++;
			}
			if (kind == 0) {
				above[nr_above++] = (struct row){ page, 1, 4 };
				want[page] = ' ' + k2++;
			} else if (kind == 1 && in_parent > 0) {
				above[nr_above++] = (struct row){ page, 1, 1 };
				want[page] = in_parent;
			}
		}
		EXPECT(asprintf(&link, "%s/parent", path2) > 0 && !symlink(path1, link));
		EXPECT(!image_dir_open(path1, &dir1) && !image_dir_open(path2, &dir2));
		EXPECT(!write_map(dir1, below, nr_below, 'A') && !write_map(dir2, above, nr_above, ' '));
		if (pagemap_load(dir2, IMAGE_PAGEMAP, 5, &map))
			return image_store_error(dir2);
		for (int page = 0; page < 60; page++)
			if (page_at(map, page) != want[page])
				return because("seed %u: page %d is %d instead of %d", seed, page, page_at(map, page),
					       want[page]);
	}
	return NULL;
}

int main(void)
{
	run_case("round-trip", test_round_trip);
	run_case("writer-refuses", test_writer_refuses);
	run_case("reader-refuses", test_reader_refuses);
	run_case("old-format", test_old_format);
	run_case("kept", test_kept);
	run_case("kept blocks", test_kept_blocks);
	run_case("pages of other processes", test_processes);
	run_case("pages of other processes that are not there", test_bad_processes);
	run_case("parents", test_parents);
	run_case("same as", test_same_as);
	run_case("random", test_random);
	return cases_failed();
}
