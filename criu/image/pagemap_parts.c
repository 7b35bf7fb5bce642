// SPDX-License-Identifier: GPL-2.0-only
#include "image/pagemap_parts.h"

#include <stdlib.h>

#include "base/bits.h"
#include "base/cleanup.h"
#include "image/pagemap_blocks.h"
#include "image/pagemap_sums.h"

struct pagemap_run *pagemap_append_run(struct pagemap *map)
{
	if (map->nr_runs == map->cap_runs) {
		size_t cap = map->cap_runs ? 2 * map->cap_runs : 64;
		struct pagemap_run *grown = reallocarray(map->runs, cap, sizeof(*grown));

		if (!grown)
			return NULL;
		map->runs = grown;
		map->cap_runs = cap;
	}
	return &map->runs[map->nr_runs++];
}

const struct pagemap_run *pagemap_find(const struct pagemap *map, uint64_t vaddr)
{
	size_t low = 0, high = map->nr_runs;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (pagemap_run_end(&map->runs[middle]) <= vaddr)
			low = middle + 1;
		else
			high = middle;
	}
	return low < map->nr_runs ? &map->runs[low] : NULL;
}

void pagemap_close_sources(struct pagemap *map)
{
	for (size_t i = 0; i < map->nr_sources; i++)
		cleanup_close(&map->sources[i]);
	if (map->sources != &map->own_source)
		free(map->sources);
	map->sources = NULL;
	map->nr_sources = 0;
}

void pagemap_free(struct pagemap *map)
{
	if (!map)
		return;
	pagemap_close_sources(map);
	pagemap_blocks_free(map);
	pagemap_sums_free(map);
	free(map->others);
	free(map->runs);
	free(map);
}
