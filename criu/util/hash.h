/* SPDX-License-Identifier: GPL-2.0-only */
/* A table from u64 to u64 (or a pointer), open addressing, constant time per use. A zeroed one is empty. */
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

/* Store, replacing what was there. 0 or -ENOMEM. */
int hash_put(struct hash *h, uint64_t key, uint64_t value);
/* False if there is none; @ret_value untouched then. */
bool hash_get(const struct hash *h, uint64_t key, uint64_t *ret_value);
/* The place of the value of @key, made with value 0 if there was none (*ret_new says so); NULL without memory. Valid
 * until the next put or del. */
uint64_t *hash_slot_of(struct hash *h, uint64_t key, bool *ret_new);
/* True if it was there. */
bool hash_del(struct hash *h, uint64_t key);
/* Walk in no order: *iter starts at 0; NULL at the end. Do not put or del while walking. */
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

/* Good mixing for keys of one's own making: chain with hash_mix(hash_mix(a) ^ b). */
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
