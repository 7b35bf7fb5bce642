// SPDX-License-Identifier: GPL-2.0-only
#include "image/stream_in.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "base/cleanup.h"

struct stream_in {
	struct image_store store;
	struct spool *spool;
	const struct stream_in_ops *ops;
	void *from;
	struct image_store *parent; /* NULL: none */
};

static struct stream_in *in_of(struct image_store *store)
{
	return container_of(store, struct stream_in, store);
}

/* Makes it known to the spool whether the image exists. */
static int fetch(struct stream_in *in, enum image_type type, uint64_t id)
{
	struct image_extent extent;
	int err = spool_lock(in->spool);

	if (err)
		return image_store_fail(&in->store, err, "a process was killed while it received an image");
	/* Another process may have been first. */
	if (!spool_find(in->spool, type, id, &extent))
		err = in->ops->fetch(in->from, &in->store, in->spool, type, id);
	spool_unlock(in->spool);
	return err;
}

static int open_image(struct image_store *store, enum image_type type, uint64_t id, struct image_extent *ret_extent)
{
	struct stream_in *in = in_of(store);
	char name[IMAGE_NAME_MAX];
	int got = spool_open(in->spool, type, id, ret_extent);

	if (!got && in->ops) {
		int err = fetch(in, type, id);

		if (err)
			return err;
		got = spool_open(in->spool, type, id, ret_extent);
	}
	image_name(type, id, name);
	if (!got)
		got = -ENOENT;
	return got < 0 ? image_store_fail(store, got, "open %s: %s", name, strerror(-got)) : 0;
}

static bool has_image(struct image_store *store, enum image_type type, uint64_t id)
{
	struct image_extent extent = { .fd = -1 };
	bool has = !open_image(store, type, id, &extent);

	if (has)
		cleanup_close(&extent.fd);
	return has;
}

static int move_fds(struct image_store *store, int min)
{
	struct stream_in *in = in_of(store);
	int err = spool_move_fds(in->spool, min);

	if (!err && in->ops)
		err = in->ops->move_fds(in->from, min);
	if (!err && in->parent)
		err = move_fds(in->parent, min);
	return err ? image_store_fail(store, err, "move descriptors: %s", strerror(-err)) : 0;
}

static int parent_of(struct image_store *store, struct image_store **ret_parent)
{
	struct stream_in *in = in_of(store);

	if (!in->parent)
		return image_store_fail(store, -ENOENT, "the stream has no previous images");
	*ret_parent = in->parent;
	return 0;
}

static int begin(struct image_store *store, bool beside)
{
	return image_store_fail(store, -EROFS, "images that were received cannot be changed");
}

static void close_store(struct image_store *store)
{
	struct image_store *parent;

	for (; store; store = parent) {
		struct stream_in *in = in_of(store);

		parent = in->parent;
		if (in->ops)
			in->ops->free(in->from);
		spool_free(in->spool);
		free(in);
	}
}

static const struct image_store_ops in_ops = {
	.open = open_image,
	.has = has_image,
	.parent = parent_of,
	.move_fds = move_fds,
	.begin = begin,
	.free = close_store,
};

int stream_in_new(struct spool *spool, const struct stream_in_ops *ops, void *from, struct image_store **ret_store)
{
	struct stream_in *in = calloc(1, sizeof(*in));

	if (!in)
		return -ENOMEM;
	*in = (struct stream_in){ .store.ops = &in_ops, .spool = spool, .ops = ops, .from = from };
	*ret_store = &in->store;
	return 0;
}

void stream_in_set_parent(struct image_store *store, struct image_store *parent)
{
	in_of(store)->parent = parent;
}
