// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "util/hash.h"

#define HASH_MIN 16

void hash_free(struct hash *h)
{
	free(h->slots);
	free(h->used);
	*h = (struct hash){ 0 };
}

/* The slot of @key, or the free one where it belongs. There is always a free one: at most 3/4 are in use. */
static size_t slot_at(const struct hash *h, uint64_t key)
{
	size_t i = hash_mix(key) & (h->cap - 1);

	while (h->used[i] && h->slots[i].key != key)
		i = (i + 1) & (h->cap - 1);
	return i;
}

static int hash_grow(struct hash *h)
{
	struct hash bigger = { .cap = h->cap ? h->cap * 2 : HASH_MIN, .n = h->n };

	if (bigger.cap > SIZE_MAX / sizeof(*h->slots))
		return -ENOMEM;
	bigger.slots = malloc(bigger.cap * sizeof(*bigger.slots));
	bigger.used = calloc(bigger.cap, 1);
	if (!bigger.slots || !bigger.used) {
		hash_free(&bigger);
		return -ENOMEM;
	}
	for (size_t i = 0; i < h->cap; i++) {
		if (!h->used[i])
			continue;
		size_t to = slot_at(&bigger, h->slots[i].key);
		bigger.slots[to] = h->slots[i];
		bigger.used[to] = 1;
	}
	hash_free(h);
	*h = bigger;
	return 0;
}

uint64_t *hash_slot_of(struct hash *h, uint64_t key, bool *ret_new)
{
	size_t i = h->cap ? slot_at(h, key) : 0;
	bool fresh = !h->cap || !h->used[i];

	/* An existing key needs no new slot. */
	if (fresh && (h->n + 1) * 4 > h->cap * 3) {
		if (hash_grow(h))
			return NULL;
		i = slot_at(h, key);
	}
	if (fresh) {
		h->used[i] = 1;
		h->slots[i] = (struct hash_slot){ key, 0 };
		h->n++;
	}
	if (ret_new)
		*ret_new = fresh;
	return &h->slots[i].value;
}

int hash_put(struct hash *h, uint64_t key, uint64_t value)
{
	uint64_t *at = hash_slot_of(h, key, NULL);

	if (!at)
		return -ENOMEM;
	*at = value;
	return 0;
}

bool hash_get(const struct hash *h, uint64_t key, uint64_t *ret_value)
{
	if (!h->n)
		return false;
	size_t i = slot_at(h, key);
	if (!h->used[i])
		return false;
	*ret_value = h->slots[i].value;
	return true;
}

bool hash_del(struct hash *h, uint64_t key)
{
	size_t mask = h->cap - 1;

	if (!h->n)
		return false;
	size_t hole = slot_at(h, key);
	if (!h->used[hole])
		return false;
	/* Move back the entries after the hole that would no longer be found across it. */
	for (size_t i = (hole + 1) & mask; h->used[i]; i = (i + 1) & mask) {
		size_t home = hash_mix(h->slots[i].key) & mask;
		if (((i - home) & mask) < ((i - hole) & mask))
			continue;
		h->slots[hole] = h->slots[i];
		hole = i;
	}
	h->used[hole] = 0;
	h->n--;
	return true;
}

const struct hash_slot *hash_next(const struct hash *h, size_t *iter)
{
	while (*iter < h->cap) {
		size_t i = (*iter)++;
		if (h->used[i])
			return &h->slots[i];
	}
	return NULL;
}

/* FNV-1a */
uint64_t hash_bytes(const void *bytes, size_t len)
{
	const unsigned char *p = bytes;
	uint64_t v = 0xcbf29ce484222325ull;

	for (size_t i = 0; i < len; i++)
		v = (v ^ p[i]) * 0x100000001b3ull;
	return v;
}

uint64_t hash_str(const char *s)
{
	return hash_bytes(s, strlen(s));
}
