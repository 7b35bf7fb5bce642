// SPDX-License-Identifier: GPL-2.0-only
/* Every image that CRIU itself wrote: read record by record, and written again with identical bytes. */
#include "image_helper.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "image/dir.h"
#include "image/pagemap.h"

static unsigned long images, records_in_all;

static const char *copy_image(struct image_store *from, struct image_store *to, enum image_type type, uint64_t id)
{
	_cleanup_image_reader_ struct image_reader *img = NULL;
	struct image_writer *copy;
	unsigned long records;

	if (image_open(from, type, id, &img))
		return because("%s", image_store_error(from));
	EXPECT(!image_create(to, type, id, &copy));
	if (walk_image(type, img, copy, &records))
		return because("%s", image_error(img));
	EXPECT(!image_close(copy));
	images++;
	records_in_all += records;
	return NULL;
}

/*
 * Every page that the runs describe can be read, and a map written from the runs has the same content. (CRIU does not
 * join adjacent runs where one mapping ends and another starts; we do, so the bytes may differ.)
 */
static const char *copy_pagemap(struct image_store *from, struct image_store *to, enum image_type type, uint64_t id)
{
	_cleanup_pagemap_ struct pagemap *map = NULL, *again = NULL;
	struct pagemap_writer *copy;
	struct image_extent pages;
	_cleanup_close_ int fd = -1;
	uint64_t bytes = 0;
	char page[4096];

	if (pagemap_load(from, type, id, &map))
		return because("%s", image_store_error(from));
	EXPECT(!image_store_begin(to) && !pagemap_create(to, type, id, &copy, &pages));
	fd = pages.fd;
	for (size_t i = 0; i < map->nr_runs; i++) {
		EXPECT(!pagemap_add(copy, map->runs[i].vaddr, map->runs[i].nr_pages, map->runs[i].flags));
		bytes += map->runs[i].nr_pages * 4096;
		EXPECT(pread(pagemap_source(map, &map->runs[i]), page, sizeof(page), map->runs[i].offset) == 4096);
	}
	EXPECT(!ftruncate(fd, bytes));
	EXPECT(!pagemap_close(copy) && !image_store_commit(to));
	EXPECT(!pagemap_load(to, type, id, &again) && again->nr_runs <= map->nr_runs);
	for (size_t i = 0; i < map->nr_runs; i++) {
		const struct pagemap_run *run = &map->runs[i], *other = pagemap_find(again, run->vaddr);

		EXPECT(other && other->flags == run->flags && other->vaddr <= run->vaddr);
		EXPECT(other->offset + (run->vaddr - other->vaddr) == run->offset);
		EXPECT(pagemap_find(again, run->vaddr + run->nr_pages * 4096 - 1) == other);
	}
	return NULL;
}

static const char *copy_dump(const char *path)
{
	_cleanup_scratch_ char *scratch = scratch_create();
	_cleanup_scratch_ char *maps = scratch_create();
	_cleanup_image_store_ struct image_store *from = NULL, *to = NULL, *to_maps = NULL;
	_cleanup_closedir_ DIR *stream = opendir(path);
	struct dirent *entry;

	EXPECT(stream && !image_dir_open(path, &from));
	EXPECT(!image_dir_open(scratch, &to) && !image_store_begin(to) && !image_dir_open(maps, &to_maps));
	while ((entry = readdir(stream))) {
		enum image_type type;
		const char *why;
		uint64_t id;

		if (entry->d_name[0] == '.')
			continue;
		if (image_parse_name(entry->d_name, &type, &id))
			return because("%s is not the name of an image", entry->d_name);
		if (image_spec(type)->framing == IMAGE_FRAMED_RAW)
			continue;
		why = copy_image(from, to, type, id);
		if (!why && (type == IMAGE_PAGEMAP || type == IMAGE_SHMEM_PAGEMAP))
			why = copy_pagemap(from, to_maps, type, id);
		if (why)
			return why;
	}
	EXPECT(!image_store_commit(to));
	rewinddir(stream);
	while ((entry = readdir(stream)))
		if (is_there(scratch, entry->d_name) && entry->d_name[0] != '.' &&
		    !same_file(path, entry->d_name, scratch, entry->d_name))
			return because("%s is written differently", entry->d_name);
	return NULL;
}

static char *dump_path;

static const char *test_dump(void)
{
	return copy_dump(dump_path);
}

int main(void)
{
	const char *top = getenv("ROOT") ?: ".";
	_cleanup_free_ char *root = NULL;
	_cleanup_closedir_ DIR *stream = NULL;
	struct dirent *entry;

	if (asprintf(&root, "%s/test/compat/criu-4.2", top) < 0)
		return 1;
	stream = opendir(root);
	if (!stream) {
		printf("not ok fixtures: %s is missing\n", root);
		return 1;
	}
	while ((entry = readdir(stream))) {
		if (entry->d_name[0] == '.' || asprintf(&dump_path, "%s/%s/images", root, entry->d_name) < 0)
			continue;
		run_case(entry->d_name, test_dump);
		free(dump_path);
	}
	printf("# %lu images, %lu records\n", images, records_in_all);
	return cases_failed();
}
