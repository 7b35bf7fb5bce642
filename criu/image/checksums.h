/* SPDX-License-Identifier: GPL-2.0-only */
/* The checksums of a directory's images (checksums.img, checksums-pages.img): a table of names. A zeroed one is empty. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "image/catalog.h"
#include "image/store.h"
#include "util/hash.h"
#include "util/uuid.h"

struct checksum {
	char name[IMAGE_NAME_MAX];
	enum image_type type;
	uint64_t id;
	uint64_t size;
	uint32_t crc;
	bool verified;
	bool optional; /* it is not necessarily a part of this dump */
};

struct checksums {
	struct checksum *v;
	size_t n, cap;
	char run_id[UUID_SIZE]; /* checksums-pages.img: of the dump that they are of; "": not known */
	struct hash
		by_key; /* of type and id -> index; of those whose keys collide, all but the last are found by search */
};

void checksums_free(struct checksums *sums);
/* Replaces one of the same name. 0, -ENOMEM, or -EINVAL: not the name of an image. */
int checksums_put(struct checksums *sums, const char *name, uint64_t size, uint32_t crc);
/* NULL: not in the table. */
struct checksum *checksums_find(const struct checksums *sums, enum image_type type, uint64_t id);

/* Adds all of image @type in @store. -ENOENT: there is none; -EBADMSG: it is damaged. The text is that of @store. */
int checksums_read(struct image_store *store, enum image_type type, struct checksums *sums);
/* Writes them in the transaction of @store. */
int checksums_write(struct image_store *store, enum image_type type, const struct checksums *sums);
