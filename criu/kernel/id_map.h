/* SPDX-License-Identifier: GPL-2.0-only */
/* /proc/PID/uid_map and gid_map: translation between ids inside and outside a user namespace. user_namespaces(7) */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "kernel/proc_pid.h"
#include "util/array.h"

struct id_range {
	uint32_t inner, outer, count;
};
ARRAY_OF(id_ranges, struct id_range);

struct id_map {
	struct id_ranges ranges;
	bool read; /* false: each id is mapped to itself, as there is no namespace in between */
};

/* The kernel shows this for an unmapped id: /proc/sys/kernel/overflowuid */
#define ID_MAP_OVERFLOW 65534u

int id_map_parse(const char *text, size_t len, struct id_map *ret);
/* @name: "uid_map" or "gid_map". Outer ids are those of the reader's own user namespace. */
int id_map_read(const struct proc *p, const char *name, struct id_map *ret);
void id_map_free(struct id_map *map);
/* The id inside for an id outside; ID_MAP_OVERFLOW: unmapped. */
uint32_t id_map_inner(const struct id_map *map, uint32_t outer);
/* How many ids from @outer on are mapped by one line; 0: it is not mapped. */
uint32_t id_map_run(const struct id_map *map, uint32_t outer);
bool id_map_has(const struct id_map *map, uint32_t outer);
