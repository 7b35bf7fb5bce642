/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Contexts of io_setup(2). A context is a ring mapped by the kernel, whose address is its id, and state in the kernel:
 * where the next event goes (tail), and how many slots for requests are in use. The ring is saved like private memory.
 * The kernel's tail only moves when a request completes, so a restore lets as many complete as that takes.
 */
#pragma once
#include "kernel/maps.h"
#include "memory/page_source.h"
#include "pie/wire.h"
#include "run/dump.h"
#include "run/restore.h"

/* ---- dump */

bool aio_is_ring(const struct kernel_vma *v);
/* Blockers; waits for requests in flight, which usually complete by themselves. Needs maps. */
int aio_survey(struct dump *dump, struct dump_task *dt);
int aio_save(struct dump *dump, struct dump_task *dt, MmEntry *mm);

/* ---- restore */

/* Checks the contexts of a task against its mappings and pages; no side effect. */
int aio_load(struct restore_task *rt, const struct pagemap *map);
/* In the task: creates its contexts, anywhere. */
int aio_hand_over(struct restore *r, struct restore_task *rt, const struct page_source *source, struct wire_task *wire);
/* Where the ring for @start is until the restorer moves it. */
uint64_t aio_waits_at(const struct wire_task *wire, uint64_t start);
/* Appends the ranges that must survive until the restorer moves them. Returns how many. */
size_t aio_reserved_ranges(const struct wire_task *wire, struct wire_range *ranges, size_t room);
