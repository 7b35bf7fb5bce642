/* SPDX-License-Identifier: GPL-2.0-only */
/* Pages of the images are compared with their checksums, before anything is created. */
#pragma once
#include "image/pagemap.h"
#include "run/restore.h"

/*
 * @name: of the image with the page map, for messages. Pages without checksums are not read; those that are loaded lazily are not
 * read, either. Of a check, pages in blocks, too, which a restore verifies when it decompresses them. 0 or a negative errno, logged.
 */
int pages_verify(struct restore *r, const struct pagemap *map, const char *name);
