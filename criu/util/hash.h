/* SPDX-License-Identifier: GPL-2.0-only */
/* A hash table from u64 to u64 (or a pointer), open addressing, constant time per operation. A zeroed one is empty. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hash_slot {
	uint64_t key, value;
};

struct hash {
	struct hash_slot *slots;
	uint8_t *used; /* one byte per slot */
	size_t n, cap; /* cap is a power of two */
};

void hash_free(struct hash *h);
#define _cleanup_hash_ __attribute__((cleanup(hash_free)))

/* Stores a value, replacing an existing one. 0 or -ENOMEM. */
int hash_put(struct hash *h, uint64_t key, uint64_t value);
/* False if not found; @ret_value is unchanged then. */
bool hash_get(const struct hash *h, uint64_t key, uint64_t *ret_value);
/*
 * A pointer to the value of @key, created with value 0 if there was none (*ret_new is true then); NULL if out of
 * memory. Valid until the next put or del.
 */
uint64_t *hash_slot_of(struct hash *h, uint64_t key, bool *ret_new);
/* True if it was found. */
bool hash_del(struct hash *h, uint64_t key);
/* Iterates in no particular order: *iter starts at 0; NULL at the end. Do not put or del meanwhile. */
const struct hash_slot *hash_next(const struct hash *h, size_t *iter);

static inline int hash_put_ptr(struct hash *h, uint64_t key, const void *p)
{
	return hash_put(h, key, (uint64_t)(uintptr_t)p);
}

static inline void *hash_get_ptr(const struct hash *h, uint64_t key)
{
	uint64_t v = 0;

	hash_get(h, key, &v);
	return (void *)(uintptr_t)v;
}

/* Mixes the bits of composed keys; can be chained: hash_mix(hash_mix(a) ^ b). */
static inline uint64_t hash_mix(uint64_t x)
{
	x ^= x >> 32;
	x *= 0xd6e8feb86659fd93ull;
	x ^= x >> 32;
	x *= 0xd6e8feb86659fd93ull;
	x ^= x >> 32;
	return x;
}

uint64_t hash_bytes(const void *bytes, size_t len);
uint64_t hash_str(const char *s);
