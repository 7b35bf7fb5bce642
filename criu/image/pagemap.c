// SPDX-License-Identifier: GPL-2.0-only
/* Two steps: each directory's page map is read and checked by itself, then they are merged. */
#include "image/pagemap.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/bits.h"
#include "base/cleanup.h"
#include "image/pagemap_blocks.h"
#include "image/pagemap_processes.h"
#include "image/pagemap_sums.h"
#include "image/reader.h"
#include "image/store_ops.h"
#include "pagemap.pb-c.h"

int pagemap_source(const struct pagemap *map, const struct pagemap_run *run)
{
	return map->sources[run->source];
}

/* Images from before there were flags have only `in_parent`, and the count in `compat_nr_pages`. */
static uint32_t entry_flags(const PagemapEntry *entry)
{
	if (entry->has_flags)
		return entry->flags;
	return entry->has_in_parent && entry->in_parent ? PAGEMAP_PARENT : PAGEMAP_PRESENT;
}

/* `end` is the end of the last run, `offset` the position of the next page; both are advanced. */
static int add_entry(struct image_reader *img, struct pagemap *map, const PagemapEntry *entry, uint64_t *end,
		     uint64_t *offset)
{
	uint64_t nr_pages = entry->has_nr_pages ? entry->nr_pages : entry->compat_nr_pages;
	uint32_t flags = entry_flags(entry);
	uint64_t bytes, run_ends;
	struct pagemap_run *run;
	int err;

	if (flags & ~PAGEMAP_FLAGS || (flags & PAGEMAP_PARENT && flags & PAGEMAP_PRESENT) ||
	    (flags & PAGEMAP_ALIGNED && !(flags & PAGEMAP_PRESENT)) ||
	    (entry->of_process && !(flags & PAGEMAP_PARENT)) || (entry->same_as && !(flags & PAGEMAP_PRESENT)))
		return image_refuse(img, "unknown flags %#x", flags);
	err = pagemap_blocks_check(img, entry);
	if (err)
		return err;
	if (entry->vaddr % PAGE_SZ)
		return image_refuse(img, "address %#lx is not page-aligned", (unsigned long)entry->vaddr);
	if (__builtin_mul_overflow(nr_pages, PAGE_SZ, &bytes) || __builtin_add_overflow(entry->vaddr, bytes, &run_ends))
		return image_refuse(img, "%lu pages at %#lx exceed the address space", (unsigned long)nr_pages,
				    (unsigned long)entry->vaddr);
	if (entry->vaddr < *end)
		return image_refuse(img, "address %#lx is below %#lx, the end of the previous run",
				    (unsigned long)entry->vaddr, (unsigned long)*end);
	*end = run_ends;
	if (!nr_pages)
		return 0;
	run = pagemap_append_run(map);
	if (!run)
		return -ENOMEM;
	*run = (struct pagemap_run){ .vaddr = entry->vaddr,
				     .nr_pages = nr_pages,
				     .flags = flags,
				     .same_as = entry->same_as,
				     .of_process = entry->of_process };
	err = pagemap_sums_load(img, map, entry, run);
	if (err)
		return err;
	if (flags & PAGEMAP_PRESENT && entry->blocks) {
		err = pagemap_blocks_load(img, map, entry->blocks, run, offset);
		if (err)
			return err;
	} else if (flags & PAGEMAP_PRESENT) {
		run->offset = flags & PAGEMAP_ALIGNED ? ROUND_UP(*offset, PAGE_SZ) : *offset;
		*offset = run->offset;
		if (__builtin_add_overflow(*offset, bytes, offset))
			return image_refuse(img, "more than 2^64 bytes of pages");
	}
	return 0;
}

static int read_entries(struct image_reader *img, struct pagemap *map, uint64_t *ret_bytes)
{
	_cleanup_record_ PagemapHead *head = NULL;
	uint64_t end = 0;
	int got;

	got = image_need_record(img, &pagemap_head__descriptor, &head);
	if (got)
		return got;
	map->pages_id = head->pages_id;
	*ret_bytes = 0;
	for (;;) {
		_cleanup_record_ PagemapEntry *entry = NULL;

		got = image_read_record(img, &pagemap_entry__descriptor, &entry);
		if (got < 0)
			return pagemap_blocks_explain(img, got);
		if (!got)
			return 0;
		got = add_entry(img, map, entry, &end, ret_bytes);
		if (got)
			return got;
	}
}

/* Opens the pages image, which must have at least `map->bytes`. A map without pages needs none. */
static int open_pages(struct image_store *dir, struct pagemap *map, const char *map_name)
{
	struct image_extent pages;
	int err;

	if (!map->bytes)
		return 0;
	err = image_store_open(dir, IMAGE_PAGES, map->pages_id, &pages);
	if (err == -ENOENT)
		return image_store_fail(dir, -EBADMSG, "%s needs pages-%u.img, which does not exist", map_name,
					map->pages_id);
	if (err)
		return err;
	if (pages.fd < 0)
		return image_store_fail(dir, -EBADMSG, "pages-%u.img has no descriptor", map->pages_id);
	map->sources[0] = pages.fd;
	if (pages.len < map->bytes)
		return image_store_fail(dir, -EBADMSG, "%s needs %lu bytes of pages-%u.img, which has %lu", map_name,
					(unsigned long)map->bytes, map->pages_id, (unsigned long)pages.len);
	if (map->borrowed && map->base != pages.base)
		return image_store_fail(dir, -EBADMSG, "pages-%u.img was replaced", map->pages_id);
	map->base = pages.base;
	for (size_t i = 0; !map->borrowed && i < map->nr_runs; i++)
		map->runs[i].offset += pages.base;
	return 0;
}

int pagemap_keep(const struct pagemap *map, struct arena *arena, struct pagemap **ret_map)
{
	struct pagemap *kept = NULL;

	if (map->nr_sources == 1 + map->nr_others) {
		kept = arena_alloc(arena, sizeof(*kept));
		if (!kept)
			return -ENOMEM;
		*kept = *map;
		kept->runs = arena_alloc(arena, (map->nr_runs + 1) * sizeof(*kept->runs));
		if (!kept->runs)
			return -ENOMEM;
		if (map->nr_runs)
			memcpy(kept->runs, map->runs, map->nr_runs * sizeof(*kept->runs));
		kept->others = arena_alloc(arena, (map->nr_others + 1) * sizeof(*kept->others));
		if (!kept->others)
			return -ENOMEM;
		for (size_t i = 0; i < map->nr_others; i++)
			kept->others[i] = map->others[i];
		kept->sources = NULL;
		kept->first_blocks = NULL;
		kept->first_sums = NULL;
		for (size_t i = 0; i < kept->nr_runs; i++)
			kept->runs[i].sums = NULL;
		if (map->has_blocks && pagemap_blocks_keep(kept, map->first_blocks, arena))
			return -ENOMEM;
	}
	*ret_map = kept;
	return 0;
}

int pagemap_reopen(struct image_store *dir, const struct pagemap *kept, struct pagemap *ret_map)
{
	*ret_map = *kept;
	ret_map->borrowed = true;
	ret_map->own_source = -1;
	ret_map->sources = &ret_map->own_source;
	ret_map->nr_sources = 1;
	return open_pages(dir, ret_map, "the page map") ?: pagemap_reopen_others(dir, ret_map);
}

/* Loads one directory's page map; its only source is its own pages image. */
static int load_level(struct image_store *dir, enum image_type type, uint64_t id, struct pagemap **ret_map)
{
	_cleanup_pagemap_ struct pagemap *map = calloc(1, sizeof(*map));
	_cleanup_image_reader_ struct image_reader *img = NULL;
	char name[IMAGE_NAME_MAX];
	int err;

	if (!map)
		return image_store_fail(dir, -ENOMEM, "out of memory");
	map->id = id;
	map->sources = &map->own_source;
	map->own_source = -1;
	map->nr_sources = 1;
	err = image_open(dir, type, id, &img);
	if (err)
		return err;
	err = read_entries(img, map, &map->bytes);
	if (err)
		return image_store_fail(dir, err, "%s", err == -ENOMEM ? "out of memory" : image_error(img));
	image_name(type, id, name);
	err = open_pages(dir, map, name);
	if (err)
		return err;
	*ret_map = steal_ptr(&map);
	return 0;
}

int pagemap_load_own(struct image_store *dir, enum image_type type, uint64_t id, struct pagemap **ret_map)
{
	if (type != IMAGE_PAGEMAP && type != IMAGE_SHMEM_PAGEMAP)
		return image_store_fail(dir, -EINVAL, "type %d is not a page map", (int)type);
	return load_level(dir, type, id, ret_map);
}

static bool wants_parent(const struct pagemap *map)
{
	for (size_t i = 0; i < map->nr_runs; i++)
		if (map->runs[i].flags & PAGEMAP_PARENT && !map->runs[i].of_process)
			return true;
	return false;
}

/* Adds the parent's runs that cover `run`, from `*next` on, to `map`. Returns the first address that is missing. */
static int resolve_run(struct pagemap *map, const struct pagemap_run *run, const struct pagemap *parent, size_t *next,
		       uint64_t *ret_lacks)
{
	uint64_t at = run->vaddr, end = pagemap_run_end(run);

	while (*next < parent->nr_runs && pagemap_run_end(&parent->runs[*next]) <= at)
		++*next;
	for (size_t i = *next; at < end; i++) {
		const struct pagemap_run *from = i < parent->nr_runs ? &parent->runs[i] : NULL;
		struct pagemap_run *piece;

		if (!from || from->vaddr > at || !(from->flags & PAGEMAP_PRESENT)) {
			*ret_lacks = at;
			return -EBADMSG;
		}
		piece = pagemap_append_run(map);
		if (!piece)
			return -ENOMEM;
		*piece = (struct pagemap_run){
			.vaddr = at,
			.nr_pages = (MIN_OF(end, pagemap_run_end(from)) - at) / PAGE_SZ,
			/* CRIU marks only entries with content as lazy: those that inherit it are as their parent's. */
			.flags = PAGEMAP_PRESENT | ((run->flags | from->flags) & PAGEMAP_LAZY),
			.source = from->source + 1,
			.offset = from->offset,
			.blocks = from->blocks,
		};
		if (from->blocks)
			piece->skip = from->skip + (at - from->vaddr) / PAGE_SZ;
		else
			piece->offset += at - from->vaddr;
		if (from->sums)
			piece->sums = from->sums + (at - from->vaddr) / PAGE_SZ;
		at = pagemap_run_end(piece);
	}
	return 0;
}

/* Appends the parent's descriptors to the map's own one, if any run needs them. */
static int take_sources(struct pagemap *map, struct pagemap *parent)
{
	int *grown = calloc(1 + parent->nr_sources, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	grown[0] = steal_fd(&map->own_source);
	map->sources = grown;
	for (size_t i = 0; i < parent->nr_sources; i++)
		grown[1 + i] = steal_fd(&parent->sources[i]);
	map->nr_sources = 1 + parent->nr_sources;
	pagemap_blocks_take(map, parent);
	pagemap_sums_take(map, parent);
	return 0;
}

/* Resolves `map` with its parent, which is resolved already (and loses its descriptors). */
static int resolve_level(struct image_store *dir, struct pagemap *map, struct pagemap *parent)
{
	struct pagemap_run *runs = map->runs;
	size_t nr_runs = map->nr_runs, next = 0;
	uint64_t lacks = 0;
	int err = 0;

	map->runs = NULL;
	map->nr_runs = map->cap_runs = 0;
	for (size_t i = 0; i < nr_runs && !err; i++) {
		struct pagemap_run *copy;

		if (runs[i].flags & PAGEMAP_PARENT) {
			err = resolve_run(map, &runs[i], parent, &next, &lacks);
			continue;
		}
		copy = pagemap_append_run(map);
		if (copy)
			*copy = runs[i];
		else
			err = -ENOMEM;
	}
	free(runs);
	if (err == -EBADMSG)
		return image_store_fail(dir, err, "the parent directory has no page at %#lx", (unsigned long)lacks);
	return err ?: take_sources(map, parent);
}

/* The maps of `dir` and of its parents, up to the first one that needs no parent. */
struct chain {
	struct image_store **dirs;
	struct pagemap **maps;
	size_t nr;
};

static void free_chain(struct chain *chain)
{
	for (size_t i = 0; i < chain->nr; i++)
		pagemap_free(chain->maps[i]);
	free(chain->maps);
	free(chain->dirs);
}

static int load_link(struct chain *chain, struct image_store *dir, enum image_type type, uint64_t id)
{
	struct image_store **dirs = reallocarray(chain->dirs, chain->nr + 1, sizeof(*dirs));
	struct pagemap **maps;
	int err;

	if (!dirs)
		return image_store_fail(dir, -ENOMEM, "out of memory");
	chain->dirs = dirs;
	maps = reallocarray(chain->maps, chain->nr + 1, sizeof(*maps));
	if (!maps)
		return image_store_fail(dir, -ENOMEM, "out of memory");
	chain->maps = maps;
	err = load_level(dir, type, id, &maps[chain->nr]);
	if (err)
		return err;
	dirs[chain->nr++] = dir;
	return pagemap_resolve_processes(dir, type, maps[chain->nr - 1], load_level);
}

static int load_chain(struct chain *chain, struct image_store *dir, enum image_type type, uint64_t id)
{
	int err = load_link(chain, dir, type, id);

	while (!err && wants_parent(chain->maps[chain->nr - 1])) {
		struct image_store *last = chain->dirs[chain->nr - 1], *parent;

		err = image_store_parent(last, &parent);
		if (err == -ENOENT)
			err = image_store_fail(last, -EBADMSG, "pages are in a parent, but there is no link `parent`");
		if (!err)
			err = load_link(chain, parent, type, id);
		else
			parent = last;
		/*
		 * Set the text in the caller's store; only the map of that store may be missing without being an error.
		 */
		if (err && parent != dir) {
			char why[IMAGE_ERROR_MAX];

			snprintf(why, sizeof(why), "%s", image_store_error(parent));
			image_store_fail(dir, err, "parent %zu: %.200s", chain->nr, why);
		}
		if (err == -ENOENT)
			err = -EBADMSG;
	}
	return err;
}

/* A long chain must not keep unneeded descriptors open. */
static int close_unused_sources(struct pagemap *map)
{
	_cleanup_free_ bool *used = calloc(map->nr_sources, sizeof(*used));

	if (!used)
		return -ENOMEM;
	for (size_t i = 0; i < map->nr_runs; i++)
		if (map->runs[i].flags & PAGEMAP_PRESENT)
			used[map->runs[i].source] = true;
	for (size_t i = 0; i < map->nr_sources; i++) {
		int unused = used[i] ? -1 : steal_fd(&map->sources[i]);

		cleanup_close(&unused);
	}
	return 0;
}

int pagemap_load(struct image_store *dir, enum image_type type, uint64_t id, struct pagemap **ret_map)
{
	struct chain chain = { 0 };
	int err;

	if (type != IMAGE_PAGEMAP && type != IMAGE_SHMEM_PAGEMAP)
		return image_store_fail(dir, -EINVAL, "type %d is not a page map", (int)type);
	err = load_chain(&chain, dir, type, id);
	for (size_t i = 0; !err && chain.nr > 1 && i < chain.nr; i++)
		if (chain.maps[i]->nr_others)
			err = image_store_fail(dir, -EOPNOTSUPP,
					       "pages of another process and of a parent directory in one chain");
	for (size_t i = chain.nr; !err && i-- > 1;)
		err = resolve_level(dir, chain.maps[i - 1], chain.maps[i]);
	if (!err)
		err = close_unused_sources(chain.maps[0]);
	if (err == -ENOMEM)
		image_store_fail(dir, err, "out of memory");
	if (!err) {
		*ret_map = chain.maps[0];
		chain.maps[0] = NULL;
	}
	free_chain(&chain);
	return err;
}
