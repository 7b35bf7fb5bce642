// SPDX-License-Identifier: GPL-2.0-only
#include "memory_store_helper.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/bits.h"
#include "base/cleanup.h"
#include "image/image_set.h"
#include "image/store_ops.h"
#include "util/fds.h"

/* Pages images, which are written at offsets, are memfds: the bytes of such an image are the number of its descriptor. */
struct memory_store {
	struct image_store store;
	int memfds[64]; /* closed with the store */
	size_t nr_memfds;
	struct image_set committed;
	struct image_set fresh; /* of the transaction; replaces the others when it is published */
};

static struct memory_store *memory_of(struct image_store *store)
{
	return container_of(store, struct memory_store, store);
}

static struct image_bytes *find(struct image_store *store, enum image_type type, uint64_t id)
{
	struct image_bytes *image = store->published ? image_set_find(&memory_of(store)->fresh, type, id) : NULL;

	return image ? image : image_set_find(&memory_of(store)->committed, type, id);
}

static bool memory_has(struct image_store *store, enum image_type type, uint64_t id)
{
	return find(store, type, id);
}

static int open_memfd(struct image_store *store, const struct image_bytes *image, struct image_extent *ret_extent)
{
	_cleanup_close_ int fd = dup_fd_above(*(const int *)(const void *)image->data, 0);
	struct stat st;

	if (fd < 0 || fstat(fd, &st))
		return image_store_fail(store, -errno, "open an image in memory: %s", strerror(errno));
	*ret_extent = (struct image_extent){ .fd = steal_fd(&fd), .len = st.st_size };
	return 0;
}

static int memory_open(struct image_store *store, enum image_type type, uint64_t id, struct image_extent *ret_extent)
{
	const struct image_bytes *image = find(store, type, id);
	char name[IMAGE_NAME_MAX];

	image_name(type, id, name);
	if (!image)
		return image_store_fail(store, -ENOENT, "open %s: %s", name, strerror(ENOENT));
	if (type == IMAGE_PAGES)
		return open_memfd(store, image, ret_extent);
	*ret_extent = (struct image_extent){ .fd = -1, .bytes = image->data, .len = image->len };
	return 0;
}

static int memory_begin(struct image_store *store, bool beside)
{
	return 0;
}

/* Adds @image to the transaction, or frees it. */
static int add(struct image_store *store, struct image_bytes *image)
{
	struct memory_store *memory = memory_of(store);
	char name[IMAGE_NAME_MAX];
	int err = image_set_add(&memory->fresh, image);

	if (!err)
		return 0;
	image_name(image->type, image->id, name);
	image_bytes_free(image);
	return image_store_fail(store, err, "create %s: %s", name, strerror(-err));
}

static int memory_create(struct image_store *store, enum image_type type, uint64_t id, struct image_extent *ret_extent)
{
	struct image_bytes *image = image_bytes_new(type, id);
	int kept = memfd_create("criu-image", MFD_CLOEXEC), fd = kept < 0 ? -errno : dup_fd_above(kept, 0), err;

	if (!image || kept < 0 || memory_of(store)->nr_memfds == ARRAY_SIZE(memory_of(store)->memfds) ||
	    image_bytes_append(image, &kept, sizeof(kept)))
		abort();
	memory_of(store)->memfds[memory_of(store)->nr_memfds++] = kept;
	if (fd < 0) {
		image_bytes_free(image);
		return image_store_fail(store, fd, "create an image in memory: %s", strerror(-fd));
	}
	err = add(store, image);
	if (err) {
		cleanup_close(&fd);
		return err;
	}
	*ret_extent = (struct image_extent){ .fd = fd };
	return 0;
}

static int memory_append(struct image_store *store, struct image_out *out, const void *buf, size_t len)
{
	if (!out->own)
		out->own = image_bytes_new(out->type, out->id);
	if (!out->own || image_bytes_append(out->own, buf, len))
		return image_store_fail(store, -ENOMEM, "write %s: out of memory", out->name);
	return 0;
}

static void memory_discard(struct image_store *store, struct image_out *out)
{
	image_bytes_free(steal_ptr(&out->own));
}

static int memory_finish(struct image_store *store, struct image_out *out, const void *buf, size_t len)
{
	int err = memory_append(store, out, buf, len);

	if (err) {
		memory_discard(store, out);
		return err;
	}
	return add(store, steal_ptr(&out->own));
}

static int memory_publish(struct image_store *store)
{
	return 0;
}

static void memory_commit(struct image_store *store)
{
	struct image_set *old = &memory_of(store)->committed, *fresh = &memory_of(store)->fresh;

	for (struct image_bytes *image = old->first, *next; image; image = next) {
		next = image->next;
		if (image_set_find(fresh, image->type, image->id))
			image_bytes_free(image);
		else if (image_set_add(fresh, image))
			abort();
	}
	hash_free(&old->by_key);
	*old = *fresh;
	*fresh = (struct image_set){ 0 };
}

static void memory_abort(struct image_store *store)
{
	image_set_clear(&memory_of(store)->fresh);
}

static void memory_free(struct image_store *store)
{
	struct memory_store *memory = memory_of(store);

	for (size_t i = 0; i < memory->nr_memfds; i++)
		cleanup_close(&memory->memfds[i]);
	image_set_clear(&memory_of(store)->committed);
	image_set_clear(&memory_of(store)->fresh);
	free(memory_of(store));
}

static const struct image_store_ops memory_ops = {
	.open = memory_open,
	.has = memory_has,
	.begin = memory_begin,
	.create = memory_create,
	.append = memory_append,
	.finish = memory_finish,
	.discard = memory_discard,
	.publish = memory_publish,
	.commit = memory_commit,
	.abort = memory_abort,
	.free = memory_free,
};

int image_memory_open(struct image_store **ret_store)
{
	struct memory_store *memory = calloc(1, sizeof(*memory));

	if (!memory)
		return -ENOMEM;
	memory->store.ops = &memory_ops;
	*ret_store = &memory->store;
	return 0;
}
