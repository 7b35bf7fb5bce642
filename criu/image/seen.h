/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Images that are read more than once (checked first, used later) must be the same each time: what each was, or that there
 * was none, is kept from its first opening on.
 */
#pragma once
#include <stdint.h>
#include <sys/stat.h>

#include "image/catalog.h"
#include "util/hash.h"

struct seen_images {
	struct hash by_name;
};

/* @st: as it is now, NULL: it is not there. -ESTALE: it is not what it was; 0 else (or -ENOMEM). */
int seen_check(struct seen_images *seen, enum image_type type, uint64_t id, const struct stat *st);
void seen_free(struct seen_images *seen);
