/* SPDX-License-Identifier: GPL-2.0-only */
/* Images in memory, found by type and id. A zeroed set is empty. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "image/catalog.h"
#include "util/hash.h"

struct image_bytes {
	struct image_bytes *next; /* in insertion order */
	struct image_bytes *same_key; /* others in the same slot */
	enum image_type type;
	uint64_t id;
	uint8_t *data;
	size_t len, cap;
};

struct image_set {
	struct image_bytes *first, *last;
	struct hash by_key;
	size_t len; /* of all @data */
};

/* An empty one; NULL if out of memory. */
struct image_bytes *image_bytes_new(enum image_type type, uint64_t id);
/* 0 or -ENOMEM. */
int image_bytes_append(struct image_bytes *image, const void *buf, size_t len);
/* NULL is allowed. */
void image_bytes_free(struct image_bytes *image);

/* On success @image is owned by the set. -EEXIST: same type and id; then, and on -ENOMEM, it remains the caller's. */
int image_set_add(struct image_set *set, struct image_bytes *image);
/* NULL if not found. */
struct image_bytes *image_set_find(const struct image_set *set, enum image_type type, uint64_t id);
void image_set_clear(struct image_set *set);
