/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Contexts of io_setup(2). One is a ring that the kernel maps, whose address is its id, and what the kernel knows
 * besides: where the next event goes (tail) and how many places for requests are taken. The ring is saved like private
 * memory. The kernel's tail only moves when a request ends, so a restore has as many end as it takes.
 */
#pragma once
#include "kernel/maps.h"
#include "memory/page_source.h"
#include "pie/wire.h"
#include "run/dump.h"
#include "run/restore.h"

/* ---- dump */

bool aio_is_ring(const struct kernel_vma *v);
/* Blockers; waits for requests in flight, which end by themselves, as a rule. Needs maps. */
int aio_survey(struct dump *dump, struct dump_task *dt);
int aio_save(struct dump *dump, struct dump_task *dt, MmEntry *mm);

/* ---- restore */

/* Check the contexts of a task against its mappings and pages; no side effect. */
int aio_load(struct restore_task *rt, const struct pagemap *map);
/* In the task: make its contexts, anywhere. */
int aio_hand_over(struct restore *r, struct restore_task *rt, const struct page_source *source, struct wire_task *wire);
/* Where the ring that is to be at @start waits. */
uint64_t aio_waits_at(const struct wire_task *wire, uint64_t start);
/* Append the ranges that must survive until the restorer moves them. Returns how many. */
size_t aio_reserved_ranges(const struct wire_task *wire, struct wire_range *ranges, size_t room);
