/* SPDX-License-Identifier: GPL-2.0-only */
/* Lazy restore: which pages a task does not load itself. They are supplied by userfaultfd(2) (criu/lazy). */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "image/pagemap.h"
#include "mm.pb-c.h"
#include "pie/wire.h"
#include "run/restore.h"

/*
 * Pages of a stack pointer, and of so many bytes below it, are not lazy: a restored thread accesses them at once, and there the timeout is put
 * of a system call that it continues (compel/src/timed_call.c).
 */
#define LAZY_STACK_BELOW 256

/* In the tool: the features of userfaultfd(2) that are needed. *ret_features: those to be asked for. Errors are logged. */
int memory_lazy_probe(uint64_t *ret_features);
/* In the task: passes a userfaultfd to the daemon, if pages are to be left out (restore_process.uffd). */
int memory_lazy_begin(struct restore *r, struct restore_task *rt, const struct pagemap *map);
/*
 * The first address from @at on, up to @end, of a page of @run that the restorer loads all the same, and in *ret_stop the end of
 * such pages; @end if there is none.
 */
uint64_t memory_lazy_skip(const struct restore *r, const struct pagemap_run *run, uint64_t at, uint64_t end,
			  uint64_t *ret_stop);
/* Which mappings the restorer registers. */
void memory_lazy_mark(const struct pagemap *map, struct wire_task *wire);
