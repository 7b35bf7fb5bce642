/* SPDX-License-Identifier: GPL-2.0-only */
/* The directories that an overlay consists of, as its options name them. mount(8) "overlay" */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include "util/array.h"
#include "util/str.h"

enum overlay_role { OVERLAY_LOWER, OVERLAY_DATA, OVERLAY_UPPER, OVERLAY_WORK };

struct overlay_dir {
	enum overlay_role role;
	char *path; /* without escapes */
};
ARRAY_OF(overlay_dirs, struct overlay_dir);

/* Those of the format of mountinfo, and of the images. The order is that of the layers, uppermost first. -ENOMEM */
int overlay_dirs_parse(const char *options, struct overlay_dirs *ret);
void overlay_dirs_free(struct overlay_dirs *dirs);
#define _cleanup_overlay_dirs_ __attribute__((cleanup(overlay_dirs_free)))
/*
 * The options for fsopen(2): those of @options, or (@moved) with the paths of @dirs. Where the kernel does not accept all lower
 * directories in one option, each is one. -ENOMEM
 */
int overlay_options(const char *options, const struct overlay_dirs *dirs, bool moved, struct buf *ret);
