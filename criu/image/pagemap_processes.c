// SPDX-License-Identifier: GPL-2.0-only
#include "image/pagemap_processes.h"

#include <errno.h>
#include <stdlib.h>

#include "base/bits.h"
#include "base/cleanup.h"
#include "image/pagemap_blocks.h"
#include "image/pagemap_parts.h"
#include "image/pagemap_sums.h"
#include "image/store_ops.h"
#include "util/hash.h"

/* A page map that is being resolved. */
struct resolving {
	struct image_store *dir;
	struct pagemap *map;
	pagemap_load_fn load;
	struct hash owners; /* process -> index in @maps */
	struct pagemap **maps; /* of the processes: sources from 1 on */
	size_t nr_maps;
};

static bool is_of_process(const struct pagemap_run *run)
{
	return run->of_process && run->flags & PAGEMAP_PARENT;
}

static int no_memory(const struct resolving *r)
{
	return image_store_fail(r->dir, -ENOMEM, "out of memory");
}

/* Loads the page map of @process as the last of @maps. */
static int load_owner(struct resolving *r, uint32_t process)
{
	struct pagemap **grown = reallocarray(r->maps, r->nr_maps + 1, sizeof(struct pagemap *));
	int err;

	if (!grown)
		return no_memory(r);
	r->maps = grown;
	err = r->load(r->dir, IMAGE_PAGEMAP, process, &r->maps[r->nr_maps]);
	if (err == -ENOENT)
		return image_store_fail(r->dir, -EBADMSG,
					"pagemap-%lu.img needs pages of process %u: pagemap-%u.img does not exist",
					(unsigned long)r->map->id, process, process);
	r->nr_maps += !err;
	return err;
}

/* The page map of @process, loaded once. */
static int find_owner(struct resolving *r, uint32_t process, size_t *ret_index)
{
	uint64_t *slot;
	bool fresh;
	int err;

	if (process == r->map->id)
		return image_store_fail(r->dir, -EBADMSG, "pagemap-%u.img refers to itself", process);
	slot = hash_slot_of(&r->owners, process, &fresh);
	if (!slot)
		return no_memory(r);
	err = fresh ? load_owner(r, process) : 0;
	if (fresh && !err)
		*slot = r->nr_maps - 1;
	*ret_index = *slot;
	return err;
}

static int add_piece(struct resolving *r, const struct pagemap_run *run, const struct pagemap_run *from, size_t owner)
{
	uint64_t start = MAX_OF(run->vaddr, from->vaddr), end = MIN_OF(pagemap_run_end(run), pagemap_run_end(from));
	struct pagemap_run *piece;

	if (!(from->flags & PAGEMAP_PRESENT))
		return image_store_fail(r->dir, -EBADMSG,
					"pagemap-%lu.img: the page at %#lx of process %u is not in these images",
					(unsigned long)r->map->id, (unsigned long)start, run->of_process);
	piece = pagemap_append_run(r->map);
	if (!piece)
		return no_memory(r);
	*piece = *from;
	piece->vaddr = start;
	piece->nr_pages = (end - start) / PAGE_SZ;
	piece->flags = PAGEMAP_PRESENT | (run->flags & PAGEMAP_LAZY);
	piece->source = (uint32_t)(1 + owner);
	piece->same_as = 0;
	piece->of_process = run->of_process;
	if (from->blocks)
		piece->skip += (start - from->vaddr) / PAGE_SZ;
	else
		piece->offset += start - from->vaddr;
	if (from->sums)
		piece->sums += (start - from->vaddr) / PAGE_SZ;
	return 0;
}

/* Where the process has no page there are zeros, as for the process itself: no run. */
static int resolve_run(struct resolving *r, const struct pagemap_run *run)
{
	size_t owner = 0;
	int err = find_owner(r, run->of_process, &owner);
	const struct pagemap *map = err ? NULL : r->maps[owner];
	const struct pagemap_run *from = map ? pagemap_find(map, run->vaddr) : NULL;

	for (; !err && from && from < map->runs + map->nr_runs && from->vaddr < pagemap_run_end(run); from++)
		err = add_piece(r, run, from, owner);
	return err;
}

static int resolve_runs(struct resolving *r)
{
	struct pagemap *map = r->map;
	struct pagemap_run *runs = map->runs;
	size_t n = map->nr_runs;
	int err = 0;

	map->runs = NULL;
	map->nr_runs = map->cap_runs = 0;
	for (size_t i = 0; !err && i < n; i++) {
		struct pagemap_run *copy;

		if (is_of_process(&runs[i])) {
			err = resolve_run(r, &runs[i]);
			continue;
		}
		copy = pagemap_append_run(map);
		if (copy)
			*copy = runs[i];
		else
			err = no_memory(r);
	}
	free(runs);
	return err;
}

/* Descriptors, blocks and checksums of the other maps become the map's own. */
static int take_sources(struct resolving *r)
{
	struct pagemap *map = r->map;
	int *sources = calloc(1 + r->nr_maps, sizeof(*sources));

	map->others = calloc(r->nr_maps, sizeof(*map->others));
	if (!sources || !map->others) {
		free(sources);
		return no_memory(r);
	}
	sources[0] = steal_fd(&map->own_source);
	map->sources = sources;
	map->nr_others = r->nr_maps;
	map->nr_sources = 1 + r->nr_maps;
	for (size_t i = 0; i < r->nr_maps; i++) {
		struct pagemap *other = r->maps[i];

		sources[1 + i] = steal_fd(&other->own_source);
		map->others[i] = (struct pagemap_other){ other->pages_id, other->base, other->bytes };
		pagemap_blocks_take(map, other);
		pagemap_sums_take(map, other);
	}
	return 0;
}

int pagemap_resolve_processes(struct image_store *dir, enum image_type type, struct pagemap *map, pagemap_load_fn load)
{
	struct resolving r = { .dir = dir, .map = map, .load = load };
	bool any = false;
	int err;

	for (size_t i = 0; !any && i < map->nr_runs; i++)
		any = is_of_process(&map->runs[i]);
	if (!any)
		return 0;
	if (type != IMAGE_PAGEMAP)
		return image_store_fail(dir, -EBADMSG, "pagemap-shmem-%lu.img: pages of a process",
					(unsigned long)map->id);
	err = resolve_runs(&r);
	if (!err)
		err = take_sources(&r);
	for (size_t i = 0; i < r.nr_maps; i++)
		pagemap_free(r.maps[i]);
	free(r.maps);
	hash_free(&r.owners);
	return err;
}

static int reopen_other(struct image_store *dir, const struct pagemap_other *other, int *ret_fd)
{
	struct image_extent pages;
	int err;

	if (!other->bytes)
		return 0;
	err = image_store_open(dir, IMAGE_PAGES, other->pages_id, &pages);
	if (err)
		return err;
	*ret_fd = pages.fd;
	return pages.fd < 0 || pages.base != other->base || pages.len < other->bytes ?
		       image_store_fail(dir, -EBADMSG, "pages-%u.img was replaced", other->pages_id) :
		       0;
}

int pagemap_reopen_others(struct image_store *dir, struct pagemap *map)
{
	int *sources, err = 0;

	if (!map->nr_others)
		return 0;
	sources = calloc(1 + map->nr_others, sizeof(*sources));
	if (!sources)
		return image_store_fail(dir, -ENOMEM, "out of memory");
	sources[0] = steal_fd(&map->own_source);
	for (size_t i = 0; i < map->nr_others; i++)
		sources[1 + i] = -1;
	map->sources = sources;
	map->nr_sources = 1 + map->nr_others;
	for (size_t i = 0; !err && i < map->nr_others; i++)
		err = reopen_other(dir, &map->others[i], &sources[1 + i]);
	return err;
}
