// SPDX-License-Identifier: GPL-2.0-only
#include "image/seen.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

struct seen {
	bool there;
	dev_t dev;
	ino_t ino;
	off_t size;
	struct timespec changed;
};

static bool is_same(const struct seen *a, const struct seen *b)
{
	return a->there == b->there && a->dev == b->dev && a->ino == b->ino && a->size == b->size &&
	       a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec;
}

int seen_check(struct seen_images *seen, enum image_type type, uint64_t id, const struct stat *st)
{
	struct seen now = { .there = st }, *was;
	bool fresh;
	uint64_t *slot = hash_slot_of(&seen->by_name, hash_mix(hash_mix(type) ^ id), &fresh);

	if (!slot)
		return -ENOMEM;
	if (st) {
		now.dev = st->st_dev;
		now.ino = st->st_ino;
		now.size = st->st_size;
		now.changed = st->st_mtim;
	}
	was = (struct seen *)(uintptr_t)*slot;
	if (was)
		return is_same(was, &now) ? 0 : -ESTALE;
	was = malloc(sizeof(*was));
	if (!was)
		return -ENOMEM;
	*was = now;
	*slot = (uintptr_t)was;
	return 0;
}

void seen_free(struct seen_images *seen)
{
	const struct hash_slot *slot;
	size_t iter = 0;

	while ((slot = hash_next(&seen->by_name, &iter)))
		free((void *)(uintptr_t)slot->value);
	hash_free(&seen->by_name);
}
