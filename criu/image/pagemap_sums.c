// SPDX-License-Identifier: GPL-2.0-only
#include "image/pagemap_sums.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int pagemap_sums_load(struct image_reader *img, struct pagemap *map, const PagemapEntry *entry, struct pagemap_run *run)
{
	size_t n = entry->n_page_checksums;
	struct pagemap_sums *sums;

	if (!n)
		return 0;
	if (!(run->flags & PAGEMAP_PRESENT) || entry->blocks)
		return image_refuse(img, "checksums of pages that are not there as they are");
	if (n != run->nr_pages)
		return image_refuse(img, "%zu checksums of %lu pages", n, (unsigned long)run->nr_pages);
	sums = malloc(sizeof(*sums) + n * sizeof(sums->v[0]));
	if (!sums)
		return -ENOMEM;
	memcpy(sums->v, entry->page_checksums, n * sizeof(sums->v[0]));
	sums->next = map->first_sums;
	map->first_sums = sums;
	run->sums = sums->v;
	return 0;
}

void pagemap_sums_free(struct pagemap *map)
{
	while (map->first_sums) {
		struct pagemap_sums *next = map->first_sums->next;

		free(map->first_sums);
		map->first_sums = next;
	}
}

void pagemap_sums_take(struct pagemap *map, struct pagemap *parent)
{
	struct pagemap_sums **last = &map->first_sums;

	while (*last)
		last = &(*last)->next;
	*last = parent->first_sums;
	parent->first_sums = NULL;
}
