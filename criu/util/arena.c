/* SPDX-License-Identifier: GPL-2.0-only */
#include "util/arena.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "base/bits.h"

#define BLOCK_SIZE (256ul << 10)
#define FILE_BLOCK_SIZE (4ul << 20)
/* Of a block in a file so much is made ready at a time: a page fault for each page of it costs more. */
#define POPULATE_SIZE (256ul << 10)

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Linux 5.14 */
#endif

struct arena_block {
	struct arena_block *next;
	size_t used, size; /* of bytes[] */
	size_t mapped; /* size of the mapping, with this header; 0: ordinary memory */
	bool in_file; /* at this offset: */
	size_t offset;
	size_t populated; /* of it, from the head on */
	char bytes[] __attribute__((aligned(16)));
};

struct arena_deferred {
	struct arena_deferred *next;
	void (*release)(void *);
	void *p;
};

/* Replaces the oldest one that is in use. */
static void remember_work(struct arena *arena, void *p, size_t size)
{
	for (size_t tries = 0; p && tries < ARENA_WORK_AREAS; tries++) {
		struct arena_work *w = &arena->work[arena->next_work++ % ARENA_WORK_AREAS];

		if (w->free)
			continue;
		*w = (struct arena_work){ p, size, false };
		return;
	}
}

static void *protobuf_alloc(void *data, size_t size)
{
	struct arena *arena = data;
	void *p;

	if (size < ARENA_WORK_MIN)
		return arena_alloc(arena, size ? size : 1);
	for (size_t i = 0; i < ARENA_WORK_AREAS; i++) {
		struct arena_work *w = &arena->work[i];

		if (!w->free || w->size != size)
			continue;
		w->free = false;
		return w->p;
	}
	p = arena_alloc(arena, size);
	remember_work(arena, p, size);
	return p;
}

/* What is not used again is freed in arena_free. */
static void protobuf_free(void *data, void *pointer)
{
	struct arena *arena = data;

	for (size_t i = 0; pointer && i < ARENA_WORK_AREAS; i++)
		if (arena->work[i].p == pointer)
			arena->work[i].free = true;
}

void arena_init(struct arena *arena)
{
	*arena = (struct arena){
		.protobuf = { .alloc = protobuf_alloc, .free = protobuf_free, .allocator_data = arena },
		.file = -1,
	};
}

void arena_init_for_forks(struct arena *arena)
{
	arena_init(arena);
	arena->for_forks = true;
}

/* Each is as large as all before it, for few mappings. Untouched parts take no memory. */
static struct arena_block *block_in_file(struct arena *arena, size_t room)
{
	size_t len = ROUND_UP(MAX_OF(room, MAX_OF(arena->file_size, FILE_BLOCK_SIZE)), PAGE_SZ);
	struct arena_block *b;

	if (arena->file < 0)
		arena->file = memfd_create("records", MFD_CLOEXEC);
	if (arena->file < 0 || ftruncate(arena->file, arena->file_size + len) < 0)
		return NULL;
	b = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, arena->file, arena->file_size);
	if (b == MAP_FAILED)
		return NULL;
	b->mapped = len;
	b->in_file = true;
	b->offset = arena->file_size;
	b->size = len - sizeof(*b);
	arena->file_size += len;
	return b;
}

/* If more than one block is needed, it will be used: populating all pages at once is cheaper than a fault for each. */
static struct arena_block *block_at_once(size_t room)
{
	size_t len = ROUND_UP(room, PAGE_SZ);
	struct arena_block *b =
		mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (b == MAP_FAILED)
		return NULL;
	b->mapped = len;
	b->size = len - sizeof(*b);
	return b;
}

/* Enough for small trees: a fork copies it as fast as it would map it. Otherwise arena_seal moves it into the file. */
static struct arena_block *first_block(void)
{
	size_t len = ROUND_UP(sizeof(struct arena_block) + BLOCK_SIZE, PAGE_SZ);
	struct arena_block *b = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (b == MAP_FAILED)
		return NULL;
	b->mapped = b->populated = len;
	b->size = len - sizeof(*b);
	return b;
}

static struct arena_block *block_new(struct arena *arena, size_t size)
{
	size_t room = MAX_OF(size, BLOCK_SIZE);
	struct arena_block *b;

	if (arena->for_forks && (arena->blocks || size > BLOCK_SIZE))
		return block_in_file(arena, sizeof(*b) + room);
	if (arena->for_forks)
		return first_block();
	if (arena->blocks && !arena->sealed)
		return block_at_once(sizeof(*b) + room);
	b = calloc(1, sizeof(*b) + room);
	if (b)
		b->size = room;
	return b;
}

static int copy_to_file(struct arena *arena, struct arena_block *b)
{
	size_t len = sizeof(*b) + b->used;

	b->offset = arena->file_size;
	if (ftruncate(arena->file, b->offset + b->mapped) < 0)
		return -errno;
	arena->file_size += b->mapped;
	b->in_file = true;
	ssize_t n = pwrite(arena->file, b, len, b->offset);
	return n < 0 ? -errno : (size_t)n != len ? -EIO : 0;
}

int arena_seal(struct arena *arena)
{
	for (struct arena_block *b = arena->file >= 0 ? arena->blocks : NULL; b; b = b->next) {
		int err = b->in_file ? 0 : copy_to_file(arena, b);

		if (err)
			return err;
		if (mmap(b, b->mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, arena->file, b->offset) ==
		    MAP_FAILED)
			return -errno;
	}
	/* Allocate nothing there any more: forks copy the page tables of pages that were written to. */
	memset(arena->work, 0, sizeof(arena->work));
	arena->sealed = arena->blocks;
	arena->blocks = NULL;
	arena->for_forks = false;
	if (arena->file >= 0)
		close(arena->file);
	arena->file = -1;
	return 0;
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

void *arena_alloc_apart(struct arena *arena, size_t size)
{
	void *p = calloc(1, size);

	return p && !arena_defer(arena, free, p) ? p : NULL;
}

static void free_blocks(struct arena_block **blocks)
{
	while (*blocks) {
		struct arena_block *b = *blocks;

		*blocks = b->next;
		if (b->mapped)
			munmap(b, b->mapped);
		else
			free(b);
	}
}

void arena_free(struct arena *arena)
{
	for (struct arena_deferred *d = arena->deferred; d; d = d->next)
		d->release(d->p);
	arena->deferred = NULL;
	free_blocks(&arena->blocks);
	free_blocks(&arena->sealed);
	if (arena->file >= 0)
		close(arena->file);
	arena->file = -1;
}

/* Where the kernel cannot, pages come one by one. */
static void populate(struct arena_block *b)
{
	size_t from = b->populated, to = ROUND_UP(sizeof(*b) + b->used, POPULATE_SIZE);

	b->populated = MIN_OF(to, b->mapped);
	madvise((char *)b + from, b->populated - from, MADV_POPULATE_WRITE);
}

void *arena_alloc(struct arena *arena, size_t size)
{
	struct arena_block *b = arena->blocks;
	void *p;

	size = ROUND_UP(size, 16);
	if (!b || b->size - b->used < size) {
		b = block_new(arena, size);
		if (!b)
			return NULL;
		/*
		 * The next allocations are from the one with more space left. So no block leaves more unused than was
		 * allocated when it came or when it was left, and the file, which doubles when all is used, is bounded.
		 */
		if (arena->blocks && b->size - size <= arena->blocks->size - arena->blocks->used) {
			b->next = arena->blocks->next;
			arena->blocks->next = b;
		} else {
			b->next = arena->blocks;
			arena->blocks = b;
		}
	}
	p = b->bytes + b->used;
	b->used += size;
	if (b->mapped && b->populated < sizeof(*b) + b->used)
		populate(b);
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
