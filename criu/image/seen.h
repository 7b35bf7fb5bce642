/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Images that are read more than once (checked first, used later) must be the same each time: their identity, or
 * absence, is recorded when they are first opened.
 */
#pragma once
#include <stdint.h>
#include <sys/stat.h>

#include "image/catalog.h"
#include "util/hash.h"

struct seen_images {
	struct hash by_name;
};

/* @st: the current file, NULL: does not exist. -ESTALE: it has changed; otherwise 0 (or -ENOMEM). */
int seen_check(struct seen_images *seen, enum image_type type, uint64_t id, const struct stat *st);
void seen_free(struct seen_images *seen);
