/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memory that is freed all at once, with its run.
 *
 * A restore forks every task of the tree off a process that has the records of all of them, and the cost of a fork is
 * copying page tables. An arena created with arena_init_for_forks is in an unnamed file: arena_seal turns it into a
 * private mapping of that file, whose page tables a fork leaves empty. Each process still has its own copy.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <protobuf-c/protobuf-c.h>

struct arena_block;
struct arena_deferred;

/* Memory that protobuf allocated, at least ARENA_WORK_MIN bytes. */
#define ARENA_WORK_MIN 512
#define ARENA_WORK_AREAS 16
struct arena_work {
	void *p;
	size_t size;
	bool free;
};

struct arena {
	struct arena_block *blocks, *sealed;
	struct arena_deferred *deferred; /* most recent first */
	ProtobufCAllocator protobuf; /* unpacks records into the arena */
	/* Recent ones: the decoder frees the largest of its allocations when a record is complete. */
	struct arena_work work[ARENA_WORK_AREAS];
	size_t next_work;
	int file; /* for large blocks; -1: none */
	bool for_forks;
	size_t file_size;
};

void arena_init(struct arena *arena);
void arena_init_for_forks(struct arena *arena);
/* Call before the first fork. Later allocations are ordinary memory. */
int arena_seal(struct arena *arena);
void arena_free(struct arena *arena);
/* arena_free will call @release(@p), for memory that is allocated elsewhere. -ENOMEM: @p has been released already. */
int arena_defer(struct arena *arena, void (*release)(void *), void *p);
/* The same as arena_alloc(), for what is written after arena_seal: it is in ordinary memory. */
void *arena_alloc_apart(struct arena *arena, size_t size);
/* Zeroed, aligned to 16; NULL if out of memory. */
void *arena_alloc(struct arena *arena, size_t size);
char *arena_strdup(struct arena *arena, const char *s);
char *arena_vprintf(struct arena *arena, const char *fmt, __builtin_va_list ap);
