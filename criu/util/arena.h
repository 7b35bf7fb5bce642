/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memory that is freed all at once, with the run it belongs to.
 *
 * A restore forks every task of the tree off a process that holds the records of all of them, and what a fork costs is
 * copying page tables. An arena made with arena_init_for_forks lies in a file without a name: arena_seal makes it a
 * private mapping of that file, whose page tables a fork leaves empty. Everybody still has a copy of his own.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <protobuf-c/protobuf-c.h>

struct arena_block;
struct arena_deferred;
struct arena {
	struct arena_block *blocks, *sealed;
	struct arena_deferred *deferred; /* the last one first */
	ProtobufCAllocator protobuf; /* unpacks records into the arena */
	int file; /* what large blocks lie in; -1: none */
	bool for_forks;
	size_t file_size;
};

void arena_init(struct arena *arena);
void arena_init_for_forks(struct arena *arena);
/* Before the first fork. What is allocated later is ordinary memory. */
int arena_seal(struct arena *arena);
void arena_free(struct arena *arena);
/* @release(@p) is called by arena_free: for what others allocate and lives as long. -ENOMEM: @p was released at once. */
int arena_defer(struct arena *arena, void (*release)(void *), void *p);
/* Zeroed, aligned to 16; NULL when there is no memory left. */
void *arena_alloc(struct arena *arena, size_t size);
char *arena_strdup(struct arena *arena, const char *s);
char *arena_vprintf(struct arena *arena, const char *fmt, __builtin_va_list ap);
