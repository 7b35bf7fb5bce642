/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * State of a kind during one run, looked up by two numbers (an inode: device and number; an id: 0 and the id). Records
 * and slots are in the run's arena: nothing is freed here. A zeroed table is empty.
 */
#pragma once
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include "util/arena.h"
#include "util/hash.h"

/* First member of a record. */
struct record {
	struct record *in_slot;
	struct record *next; /* in insertion order */
	uint64_t a, b;
};

struct record_table {
	struct record **slots;
	size_t n, cap; /* cap is a power of two */
	struct record *first, *last;
};

static inline struct record **record_slot(const struct record_table *t, uint64_t a, uint64_t b)
{
	return &t->slots[hash_mix(hash_mix(a) ^ b) & (t->cap - 1)];
}

static inline void *record_find(const struct record_table *t, uint64_t a, uint64_t b)
{
	if (!t->cap)
		return NULL;
	for (struct record *r = *record_slot(t, a, b); r; r = r->in_slot)
		if (r->a == a && r->b == b)
			return r;
	return NULL;
}

static inline int record_table_grow(struct arena *arena, struct record_table *t)
{
	size_t cap = t->cap ? t->cap * 2 : 32;
	struct record **slots = arena_alloc(arena, cap * sizeof(*slots));

	if (!slots)
		return -ENOMEM;
	t->slots = slots;
	t->cap = cap;
	for (struct record *r = t->first; r; r = r->next) {
		struct record **slot = record_slot(t, r->a, r->b);

		r->in_slot = *slot;
		*slot = r;
	}
	return 0;
}

/* A new record of @size bytes, zeroed except for its struct record; NULL if out of memory. */
static inline void *record_new(struct arena *arena, struct record_table *t, uint64_t a, uint64_t b, size_t size)
{
	struct record *r = arena_alloc(arena, size), **slot;

	if (!r || (t->n >= t->cap && record_table_grow(arena, t) < 0))
		return NULL;
	*r = (struct record){ .a = a, .b = b };
	slot = record_slot(t, a, b);
	r->in_slot = *slot;
	*slot = r;
	if (t->last)
		t->last->next = r;
	else
		t->first = r;
	t->last = r;
	t->n++;
	return r;
}

/*
 * The table @data points to (of dump_kind_data() or restore_kind_data()), created on first use; NULL if out of memory.
 */
static inline void *kind_data_of(struct arena *arena, void **data, size_t size)
{
	if (!*data)
		*data = arena_alloc(arena, size);
	return *data;
}
