// SPDX-License-Identifier: GPL-2.0-only
#include "image/image_set.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"

struct image_bytes *image_bytes_new(enum image_type type, uint64_t id)
{
	struct image_bytes *image = calloc(1, sizeof(*image));

	if (image) {
		image->type = type;
		image->id = id;
	}
	return image;
}

int image_bytes_append(struct image_bytes *image, const void *buf, size_t len)
{
	if (len > image->cap - image->len) {
		/* Usually there is only one append. */
		size_t cap = image->len ? MAX_OF(2 * image->cap, image->len + len) : len;
		uint8_t *grown = realloc(image->data, cap);

		if (!grown)
			return -ENOMEM;
		image->data = grown;
		image->cap = cap;
	}
	if (len)
		memcpy(image->data + image->len, buf, len);
	image->len += len;
	return 0;
}

void image_bytes_free(struct image_bytes *image)
{
	if (!image)
		return;
	free(image->data);
	free(image);
}

static uint64_t key_of(enum image_type type, uint64_t id)
{
	return hash_mix(hash_mix(type) ^ id);
}

/* NULL if out of memory. */
static uint64_t *slot_of(struct image_set *set, enum image_type type, uint64_t id)
{
	bool fresh;

	return hash_slot_of(&set->by_key, key_of(type, id), &fresh);
}

struct image_bytes *image_set_find(const struct image_set *set, enum image_type type, uint64_t id)
{
	struct image_bytes *image = hash_get_ptr(&set->by_key, key_of(type, id));

	while (image && (image->type != type || image->id != id))
		image = image->same_key;
	return image;
}

static void link_image(struct image_set *set, struct image_bytes *image, uint64_t *slot)
{
	image->same_key = (struct image_bytes *)(uintptr_t)*slot;
	*slot = (uintptr_t)image;
	image->next = NULL;
	if (set->last)
		set->last->next = image;
	else
		set->first = image;
	set->last = image;
	set->len += image->len;
}

int image_set_add(struct image_set *set, struct image_bytes *image)
{
	uint64_t *slot = slot_of(set, image->type, image->id);

	if (!slot)
		return -ENOMEM;
	if (image_set_find(set, image->type, image->id))
		return -EEXIST;
	link_image(set, image, slot);
	return 0;
}

void image_set_clear(struct image_set *set)
{
	struct image_bytes *image = set->first;

	while (image) {
		struct image_bytes *next = image->next;

		image_bytes_free(image);
		image = next;
	}
	hash_free(&set->by_key);
	*set = (struct image_set){ 0 };
}
