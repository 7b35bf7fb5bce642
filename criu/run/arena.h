/* SPDX-License-Identifier: GPL-2.0-only */
/* Memory that is freed all at once, with the run it belongs to. */
#pragma once
#include <stddef.h>
#include <protobuf-c/protobuf-c.h>

struct arena_block;
struct arena_deferred;
struct arena {
	struct arena_block *blocks;
	struct arena_deferred *deferred; /* the last one first */
	ProtobufCAllocator protobuf; /* unpacks records into the arena */
};

void arena_init(struct arena *arena);
void arena_free(struct arena *arena);
/* @release(@p) is called by arena_free: for what others allocate and lives as long. -ENOMEM: @p was released at once. */
int arena_defer(struct arena *arena, void (*release)(void *), void *p);
/* Zeroed, aligned to 16; NULL when there is no memory left. */
void *arena_alloc(struct arena *arena, size_t size);
char *arena_strdup(struct arena *arena, const char *s);
char *arena_vprintf(struct arena *arena, const char *fmt, __builtin_va_list ap);
