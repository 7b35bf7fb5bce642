/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of this module share while restoring. */
#pragma once
#include "image/pagemap.h"
#include "kernel/maps.h"
#include "pie/wire.h"
#include "run/restore.h"
#include "util/array.h"

/* What is not free: the task's mappings to come (of all tasks without @rt), and what is mapped now. */
ARRAY_OF(holes, struct wire_range); /* sorted, disjoint */
int holes_read(struct restore *r, struct restore_task *rt, struct holes *ret_holes);
/* Take @len bytes (and an unmapped page on either side) from the top downwards. 0: none. */
uint64_t holes_take(struct holes *holes, uint64_t len, uint64_t align);
/* In the tool: plan.room. @maps: our own. */
int holes_plan(struct restore *r, const struct maps *maps);
void holes_free(struct holes *holes);
/* ARCH/address_space.c: what of an address space only this CPU has: checked, and told to the restorer. */
int memory_arch_load(const struct restore_task *rt);
int memory_arch_hand_over(const struct restore_task *rt, struct wire_task *wire);
/* map_count.c: are there not too many mappings for this kernel (vm.max_map_count)? */
int map_count_load(const struct restore_task *rt);
