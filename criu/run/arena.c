/* SPDX-License-Identifier: GPL-2.0-only */
#include "run/arena.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/bits.h"

#define BLOCK_SIZE (256u << 10)

struct arena_block {
	struct arena_block *next;
	size_t used, size;
	char bytes[] __attribute__((aligned(16)));
};

struct arena_deferred {
	struct arena_deferred *next;
	void (*release)(void *);
	void *p;
};

static void *protobuf_alloc(void *data, size_t size)
{
	return arena_alloc(data, size ? size : 1);
}

static void protobuf_free(void *data, void *pointer)
{
	/* All at once, in arena_free. */
}

void arena_init(struct arena *arena)
{
	arena->blocks = NULL;
	arena->deferred = NULL;
	arena->protobuf =
		(ProtobufCAllocator){ .alloc = protobuf_alloc, .free = protobuf_free, .allocator_data = arena };
}

int arena_defer(struct arena *arena, void (*release)(void *), void *p)
{
	struct arena_deferred *d = arena_alloc(arena, sizeof(*d));

	if (!d) {
		release(p);
		return -ENOMEM;
	}
	*d = (struct arena_deferred){ arena->deferred, release, p };
	arena->deferred = d;
	return 0;
}

void arena_free(struct arena *arena)
{
	for (struct arena_deferred *d = arena->deferred; d; d = d->next)
		d->release(d->p);
	arena->deferred = NULL;
	while (arena->blocks) {
		struct arena_block *b = arena->blocks;

		arena->blocks = b->next;
		free(b);
	}
}

void *arena_alloc(struct arena *arena, size_t size)
{
	struct arena_block *b = arena->blocks;
	void *p;

	size = ROUND_UP(size, 16);
	if (!b || b->size - b->used < size) {
		size_t room = MAX_OF(size, (size_t)BLOCK_SIZE);

		b = calloc(1, sizeof(*b) + room);
		if (!b)
			return NULL;
		b->size = room;
		/* A block made for one large piece goes behind the one that still has room. */
		if (arena->blocks && size > BLOCK_SIZE / 2) {
			b->next = arena->blocks->next;
			arena->blocks->next = b;
		} else {
			b->next = arena->blocks;
			arena->blocks = b;
		}
	}
	p = b->bytes + b->used;
	b->used += size;
	return p;
}

char *arena_strdup(struct arena *arena, const char *s)
{
	size_t len = strlen(s) + 1;
	char *copy = arena_alloc(arena, len);

	return copy ? memcpy(copy, s, len) : NULL;
}

char *arena_vprintf(struct arena *arena, const char *fmt, va_list ap)
{
	va_list again;
	int len;
	char *s;

	va_copy(again, ap);
	len = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	s = len < 0 ? NULL : arena_alloc(arena, len + 1);
	if (s)
		vsnprintf(s, len + 1, fmt, ap);
	return s;
}
