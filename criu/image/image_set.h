/* SPDX-License-Identifier: GPL-2.0-only */
/* Images in memory, found by type and id. A zeroed set is empty. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "image/catalog.h"
#include "util/hash.h"

struct image_bytes {
	struct image_bytes *next; /* in the order of adding */
	struct image_bytes *same_key; /* others in the same slot */
	enum image_type type;
	uint64_t id;
	int fd; /* a memfd that holds it instead of @data; -1: none */
	uint8_t *data;
	size_t len, cap;
};

struct image_set {
	struct image_bytes *first, *last;
	struct hash by_key;
	size_t len; /* of all @data together */
};

/* An empty one; NULL when out of memory. */
struct image_bytes *image_bytes_new(enum image_type type, uint64_t id);
/* 0 or -ENOMEM. */
int image_bytes_append(struct image_bytes *image, const void *buf, size_t len);
/* NULL is fine. */
void image_bytes_free(struct image_bytes *image);

/* @image is the set's from here on. -EEXIST: it has one like that; then, and on -ENOMEM, it stays the caller's. */
int image_set_add(struct image_set *set, struct image_bytes *image);
/* NULL when there is none. */
struct image_bytes *image_set_find(const struct image_set *set, enum image_type type, uint64_t id);
/* Make sure that image_set_take() has room for an image like that. 0 or -ENOMEM. */
int image_set_reserve(struct image_set *set, enum image_type type, uint64_t id);
/* All images of @from, for which there is room, go over to @set and replace those that it has. */
void image_set_take(struct image_set *set, struct image_set *from);
void image_set_clear(struct image_set *set);
