/* SPDX-License-Identifier: GPL-2.0-only */
#include "kernel/id_map.h"
#include <errno.h>
#include "kernel/scan.h"
#include "util/str.h"

int id_map_parse(const char *text, size_t len, struct id_map *ret)
{
	struct scan all = scan_text(text, len), s;

	while (scan_line(&all, &s)) {
		struct id_range range;

		scan_blank(&s);
		if (!scan_u32(&s, &range.inner) || !scan_blank(&s) || !scan_u32(&s, &range.outer) || !scan_blank(&s) ||
		    !scan_u32(&s, &range.count) || !range.count) {
			array_free(&ret->ranges);
			return -EBADMSG;
		}
		if (array_add(&ret->ranges, range)) {
			array_free(&ret->ranges);
			return -ENOMEM;
		}
	}
	ret->read = true;
	return 0;
}

int id_map_read(const struct proc *p, const char *name, struct id_map *ret)
{
	_cleanup_buf_ struct buf text = { 0 };
	int err = proc_text(p, name, &text);

	return err < 0 ? err : id_map_parse(text.data, text.len, ret);
}

void id_map_free(struct id_map *map)
{
	array_free(&map->ranges);
	map->read = false;
}

static const struct id_range *range_of(const struct id_map *map, uint32_t outer)
{
	for (size_t i = 0; i < map->ranges.n; i++)
		if (outer - map->ranges.v[i].outer < map->ranges.v[i].count)
			return &map->ranges.v[i];
	return NULL;
}

uint32_t id_map_inner(const struct id_map *map, uint32_t outer)
{
	const struct id_range *range = range_of(map, outer);

	if (!map->read)
		return outer;
	return range ? range->inner + (outer - range->outer) : ID_MAP_OVERFLOW;
}

bool id_map_has(const struct id_map *map, uint32_t outer)
{
	return !map->read || range_of(map, outer);
}

uint32_t id_map_run(const struct id_map *map, uint32_t outer)
{
	const struct id_range *range = map->read ? range_of(map, outer) : NULL;

	if (!map->read)
		return UINT32_MAX - outer;
	return range ? range->count - (outer - range->outer) : 0;
}
