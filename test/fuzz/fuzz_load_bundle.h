/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Images in one file: one byte for the length of the name, the name, 4 bytes for the length of the content, the
 * content.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "image/catalog.h"

enum { BUNDLE_PARTS_MAX = 256 };

struct part {
	char name[IMAGE_NAME_MAX];
	enum image_type type;
	const uint8_t *data;
	size_t len;
};

struct bundle {
	struct part parts[BUNDLE_PARTS_MAX];
	size_t nr;
};

/* Stops at anything that is not the name of an image, or goes beyond the end. */
void bundle_parse(const uint8_t *data, size_t size, struct bundle *ret_bundle);
/* 0 when @max is too small. */
size_t bundle_write(const struct bundle *bundle, uint8_t *to, size_t max);
