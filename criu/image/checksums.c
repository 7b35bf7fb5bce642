// SPDX-License-Identifier: GPL-2.0-only
#include "image/checksums.h"

#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "checksums.pb-c.h"
#include "image/reader.h"
#include "image/store_ops.h"
#include "image/writer.h"
#include "util/crc32c.h"

void checksums_free(struct checksums *sums)
{
	free(sums->v);
	hash_free(&sums->by_key);
	*sums = (struct checksums){ 0 };
}

static uint64_t key_of(enum image_type type, uint64_t id)
{
	return hash_mix(hash_mix(type) ^ id);
}

struct checksum *checksums_find(const struct checksums *sums, enum image_type type, uint64_t id)
{
	uint64_t index = 0;

	if (!hash_get(&sums->by_key, key_of(type, id), &index))
		return NULL;
	if (sums->v[index].type == type && sums->v[index].id == id)
		return &sums->v[index];
	for (size_t i = 0; i < sums->n; i++)
		if (sums->v[i].type == type && sums->v[i].id == id)
			return &sums->v[i];
	return NULL;
}

static int make_room(struct checksums *sums)
{
	size_t cap = sums->cap ? 2 * sums->cap : 32;
	struct checksum *grown;

	if (sums->n < sums->cap)
		return 0;
	grown = reallocarray(sums->v, cap, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	sums->v = grown;
	sums->cap = cap;
	return 0;
}

int checksums_put(struct checksums *sums, const char *name, uint64_t size, uint32_t crc)
{
	struct checksum add = { .size = size, .crc = crc }, *there;

	if (strlen(name) >= sizeof(add.name) || image_parse_name(name, &add.type, &add.id))
		return -EINVAL;
	strcpy(add.name, name);
	there = checksums_find(sums, add.type, add.id);
	if (there) {
		*there = add;
		return 0;
	}
	if (make_room(sums) || hash_put(&sums->by_key, key_of(add.type, add.id), sums->n))
		return -ENOMEM;
	sums->v[sums->n++] = add;
	return 0;
}

/* The same for any encoding of the record. */
static uint32_t own_sum(const ChecksumsEntry *entry)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < entry->n_images; i++) {
		uint64_t size = htole64(entry->images[i]->size);
		uint32_t crc = htole32(entry->images[i]->crc32c);

		sum = crc32c(sum, entry->images[i]->name, strlen(entry->images[i]->name) + 1);
		sum = crc32c(sum, &size, sizeof(size));
		sum = crc32c(sum, &crc, sizeof(crc));
	}
	return entry->run_id ? crc32c(sum, entry->run_id, strlen(entry->run_id) + 1) : sum;
}

int checksums_read(struct image_store *store, enum image_type type, struct checksums *sums)
{
	_cleanup_record_ ChecksumsEntry *entry = NULL;
	char name[IMAGE_NAME_MAX];
	int err = image_read_single(store, type, 0, &entry);

	if (err)
		return err;
	image_name(type, 0, name);
	if (entry->own != own_sum(entry) || entry->base.n_unknown_fields)
		return image_store_fail(store, -EBADMSG, "%s is damaged: its own checksum is wrong", name);
	if (entry->run_id)
		snprintf(sums->run_id, sizeof(sums->run_id), "%s", entry->run_id);
	for (size_t i = 0; !err && i < entry->n_images; i++) {
		const ImageChecksum *image = entry->images[i];

		err = checksums_put(sums, image->name, image->size, image->crc32c);
		if (err == -EINVAL)
			err = image_store_fail(store, -EBADMSG, "%s: %.64s is not the name of an image", name,
					       image->name);
		else if (err)
			image_store_fail(store, err, "%s: out of memory", name);
	}
	return err;
}

int checksums_write(struct image_store *store, enum image_type type, const struct checksums *sums)
{
	_cleanup_free_ ImageChecksum *images = calloc(sums->n + 1, sizeof(*images));
	_cleanup_free_ ImageChecksum **list = calloc(sums->n + 1, sizeof(*list));
	ChecksumsEntry entry = CHECKSUMS_ENTRY__INIT;

	if (!images || !list)
		return image_store_fail(store, -ENOMEM, "list of checksums");
	for (size_t i = 0; i < sums->n; i++) {
		image_checksum__init(&images[i]);
		images[i].name = sums->v[i].name;
		images[i].size = sums->v[i].size;
		images[i].crc32c = sums->v[i].crc;
		list[i] = &images[i];
	}
	entry.n_images = sums->n;
	entry.images = list;
	if (sums->run_id[0])
		entry.run_id = (char *)sums->run_id;
	entry.own = own_sum(&entry);
	return image_write_single(store, type, 0, &entry.base);
}
