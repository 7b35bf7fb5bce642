/* SPDX-License-Identifier: GPL-2.0-only */
/* Internal to this module: definitions for restores. */
#pragma once
#include "image/pagemap.h"
#include "kernel/maps.h"
#include "pie/wire.h"
#include "run/restore.h"
#include "util/array.h"

/* Ranges that are not free: the future mappings of the task (of all tasks without @rt), and current mappings. */
ARRAY_OF(holes, struct wire_range); /* sorted, disjoint */
int holes_read(struct restore *r, struct restore_task *rt, struct holes *ret_holes);
/* Takes @len bytes (and an unmapped page on either side) from the top downwards. 0: no space. */
uint64_t holes_take(struct holes *holes, uint64_t len, uint64_t align);
/* In the tool: plan.room. @maps: our own. */
int holes_plan(struct restore *r, const struct maps *maps);
void holes_free(struct holes *holes);
/* ARCH/address_space.c: checks the CPU-specific state of an address space, and passes it to the restorer. */
int memory_arch_load(const struct restore_task *rt);
int memory_arch_hand_over(const struct restore_task *rt, struct wire_task *wire);
/* map_count.c: checks the number of mappings against this kernel's limit (vm.max_map_count). */
int map_count_load(const struct restore_task *rt);
