// SPDX-License-Identifier: GPL-2.0-only
/* The common part of all stores. */
#include "image/store.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "image/store_ops.h"

int image_store_fail(struct image_store *store, int error, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(store->error.text, sizeof(store->error.text), fmt, args);
	va_end(args);
	return error;
}

const char *image_store_error(const struct image_store *store)
{
	return store->error.text;
}

void image_store_close(struct image_store *store)
{
	if (!store)
		return;
	if (store->writer_pid == getpid())
		image_store_abort(store);
	store->ops->free(store);
}

int image_store_move_fds(struct image_store *store, int min)
{
	return store->ops->move_fds ? store->ops->move_fds(store, min) : 0;
}

bool image_store_is_dump(struct image_store *store)
{
	return store->ops->has(store, IMAGE_INVENTORY, 0);
}

int image_store_parent(struct image_store *store, struct image_store **ret_parent)
{
	return store->ops->parent ? store->ops->parent(store, ret_parent) :
				    image_store_fail(store, -ENOENT, "these images have no parent");
}

int image_store_for_each(struct image_store *store,
			 int (*fn)(struct image_store *store, enum image_type type, uint64_t id, void *arg), void *arg)
{
	if (!store->ops->for_each)
		return image_store_fail(store, -EOPNOTSUPP, "these images cannot be listed");
	return store->ops->for_each(store, fn, arg);
}

int image_store_set_parent(struct image_store *store, const char *path)
{
	if (!store->ops->set_parent)
		return image_store_fail(store, -EOPNOTSUPP, "images in this place cannot have a parent (%s)", path);
	return store->ops->set_parent(store, path);
}

int image_store_lock_for_reading(struct image_store *store)
{
	return store->ops->lock_for_reading ? store->ops->lock_for_reading(store) : 0;
}

void image_store_unlock(struct image_store *store)
{
	if (store->ops->unlock)
		store->ops->unlock(store);
}

void image_store_set_run(struct image_store *store, const struct uuid *run)
{
	if (store->ops->set_run)
		store->ops->set_run(store, run);
}

void image_store_part(struct image_store *store, uint32_t last_pages_id)
{
	store->last_pages_id = last_pages_id;
	if (store->ops->part)
		store->ops->part(store);
}

static int check_type(struct image_store *store, enum image_type type)
{
	return image_spec(type) ? 0 : image_store_fail(store, -EINVAL, "no such image type: %d", (int)type);
}

int image_store_open(struct image_store *store, enum image_type type, uint64_t id, struct image_extent *ret_extent)
{
	int err = check_type(store, type);

	return err ? err : store->ops->open(store, type, id, ret_extent);
}

bool image_store_has_checksums(const struct image_store *store)
{
	return store->ops->verify;
}

int image_store_use_checksums(struct image_store *store, const char *run_id)
{
	return store->ops->use_checksums ? store->ops->use_checksums(store, run_id) : 0;
}

bool image_store_has_checksum(const struct image_store *store, enum image_type type, uint64_t id)
{
	return store->ops->has_checksum && store->ops->has_checksum(store, type, id);
}

int image_store_verify(struct image_store *store, enum image_type type, uint64_t id, const void *bytes, size_t len)
{
	return store->ops->verify ? store->ops->verify(store, type, id, bytes, len) : 0;
}

int image_store_verify_all(struct image_store *store)
{
	return store->ops->verify_all ? store->ops->verify_all(store) : 0;
}

int image_store_mark_freed(struct image_store *store, bool restored)
{
	return store->ops->mark_freed ? store->ops->mark_freed(store, restored) : 0;
}

bool image_store_is_freed(struct image_store *store)
{
	return store->ops->is_freed && store->ops->is_freed(store);
}

bool image_store_is_freed_for_others(struct image_store *store)
{
	return store->ops->is_freed_for_others && store->ops->is_freed_for_others(store);
}

static int begin(struct image_store *store, bool beside)
{
	int err;

	if (store->writer_pid)
		return image_store_fail(store, -EBUSY, "another transaction is open already");
	err = store->ops->begin(store, beside);
	if (err)
		return err;
	store->published = false;
	store->writers_open = 0;
	store->writer_error = 0;
	store->last_pages_id = 0;
	store->writer_pid = getpid();
	return 0;
}

int image_store_begin(struct image_store *store)
{
	return begin(store, false);
}

int image_store_begin_beside(struct image_store *store)
{
	return begin(store, true);
}

void image_store_hold(struct image_store *store)
{
	if (store->ops->hold)
		store->ops->hold(store);
}

int image_store_create(struct image_store *store, enum image_type type, uint64_t id, struct image_extent *ret_extent)
{
	int err = check_type(store, type);

	if (err)
		return err;
	if (!store->writer_pid)
		return image_store_fail(store, -EINVAL, "%s image created outside a transaction",
					image_spec(type)->type);
	if (!store->ops->create)
		return image_store_fail(store, -EOPNOTSUPP, "%s image at offsets: it can only be written sequentially",
					image_spec(type)->type);
	return store->ops->create(store, type, id, ret_extent);
}

int image_store_drop(struct image_store *store, enum image_type type, uint64_t id)
{
	int err = check_type(store, type);

	if (err)
		return err;
	if (!store->ops->drop)
		return image_store_fail(store, -EOPNOTSUPP, "an image of this store cannot be written again");
	return store->writer_pid ? store->ops->drop(store, type, id) : -ENOENT;
}

bool image_store_sequential(const struct image_store *store)
{
	return !store->ops->create;
}

uint32_t image_store_next_pages_id(struct image_store *store)
{
	return ++store->last_pages_id;
}

int image_store_publish(struct image_store *store)
{
	int err;

	if (!store->writer_pid)
		return image_store_fail(store, -EINVAL, "commit without a transaction");
	if (store->writers_open)
		return image_store_fail(store, -EBUSY, "commit while %d images are still open", store->writers_open);
	if (store->writer_error)
		return image_store_fail(store, store->writer_error, "an image could not be written: %s",
					strerror(-store->writer_error));
	err = store->ops->publish(store);
	store->published = !err;
	return err;
}

static void end_transaction(struct image_store *store)
{
	store->writer_pid = 0;
	store->published = false;
	image_store_unlock(store);
}

int image_store_commit(struct image_store *store)
{
	int err = store->published ? 0 : image_store_publish(store);

	if (err)
		return err;
	store->ops->commit(store);
	end_transaction(store);
	return 0;
}

int image_store_send_but_end(struct image_store *store, int *ret_end_fd)
{
	*ret_end_fd = -1;
	return store->ops->send_but_end ? store->ops->send_but_end(store, ret_end_fd) : 0;
}

int image_store_seal(struct image_store *store)
{
	return store->ops->seal ? store->ops->seal(store) : 0;
}

void image_store_abort(struct image_store *store)
{
	if (!store->writer_pid)
		return;
	store->ops->abort(store);
	end_transaction(store);
}
