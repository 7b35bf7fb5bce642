// SPDX-License-Identifier: GPL-2.0-only
#include "image/null_store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "image/store_ops.h"

static int null_open(struct image_store *store, enum image_type type, uint64_t id, struct image_extent *ret_extent)
{
	return image_store_fail(store, -ENOENT, "images are discarded");
}

static bool null_has(struct image_store *store, enum image_type type, uint64_t id)
{
	return false;
}

static int null_begin(struct image_store *store, bool beside)
{
	return 0;
}

/* Exists as long as the caller's descriptor. */
static int null_create(struct image_store *store, enum image_type type, uint64_t id, struct image_extent *ret_extent)
{
	int fd = memfd_create("criu-image", MFD_CLOEXEC);

	if (fd < 0)
		return image_store_fail(store, -errno, "create an image in memory: %s", strerror(errno));
	*ret_extent = (struct image_extent){ .fd = fd };
	return 0;
}

static int null_append(struct image_store *store, struct image_out *out, const void *buf, size_t len)
{
	return 0;
}

static void null_discard(struct image_store *store, struct image_out *out)
{
}

static int null_publish(struct image_store *store)
{
	return 0;
}

static void null_end(struct image_store *store)
{
}

static void null_free(struct image_store *store)
{
	free(store);
}

static const struct image_store_ops null_ops = {
	.open = null_open,
	.has = null_has,
	.begin = null_begin,
	.create = null_create,
	.append = null_append,
	.finish = null_append,
	.discard = null_discard,
	.publish = null_publish,
	.commit = null_end,
	.abort = null_end,
	.free = null_free,
};

int image_null_open(struct image_store **ret_store)
{
	struct image_store *store = calloc(1, sizeof(*store));

	if (!store)
		return -ENOMEM;
	store->ops = &null_ops;
	*ret_store = store;
	return 0;
}
