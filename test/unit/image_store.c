// SPDX-License-Identifier: GPL-2.0-only
/*
 * What every store guarantees, whatever its type: the same cases for a directory, for memory, and for a third type that
 * is built here from the table of functions alone: all images in one file, at odd offsets.
 */
#include "image_helper.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bits.h"
#include "base/cleanup.h"
#include "image/dir.h"
#include "image/image_set.h"
#include "memory_store_helper.h"
#include "image/null_store.h"
#include "image/pagemap.h"
#include "image/store_ops.h"
#include "inventory.pb-c.h"
#include "pstree.pb-c.h"

/* One file: every image is appended at its end. */
struct one_file {
	struct image_store store;
	int fd;
	uint64_t end;
	size_t nr, nr_committed;
	bool grows; /* the last image: its caller writes it */
	struct {
		enum image_type type;
		uint64_t id, base, len;
	} index[64];
};

static struct one_file *file_of(struct image_store *store)
{
	return container_of(store, struct one_file, store);
}

/* The newest visible one with that name, or -1. */
static int find_in(struct image_store *store, size_t from, enum image_type type, uint64_t id)
{
	const struct one_file *file = file_of(store);

	for (size_t i = store->published ? file->nr : file->nr_committed; i-- > from;)
		if (file->index[i].type == type && file->index[i].id == id)
			return (int)i;
	return -1;
}

static bool file_has(struct image_store *store, enum image_type type, uint64_t id)
{
	return find_in(store, 0, type, id) >= 0;
}

static int file_open(struct image_store *store, enum image_type type, uint64_t id, struct image_extent *ret_extent)
{
	int at = find_in(store, 0, type, id);

	if (at < 0)
		return image_store_fail(store, -ENOENT, "open it: no such image");
	*ret_extent = (struct image_extent){ .fd = fcntl(file_of(store)->fd, F_DUPFD_CLOEXEC, 0),
					     .base = file_of(store)->index[at].base,
					     .len = file_of(store)->index[at].len };
	return 0;
}

static int file_begin(struct image_store *store, bool beside)
{
	return 0;
}

/* What a caller has written ends at the end of the file. */
static void settle(struct one_file *file)
{
	struct stat st;

	if (!file->grows)
		return;
	if (fstat(file->fd, &st))
		abort();
	file->end = MAX_OF((uint64_t)st.st_size, file->end);
	file->index[file->nr - 1].len = file->end - file->index[file->nr - 1].base;
	file->grows = false;
}

static int file_add(struct image_store *store, enum image_type type, uint64_t id, uint64_t len)
{
	struct one_file *file = file_of(store);

	settle(file);
	for (size_t i = file->nr_committed; i < file->nr; i++)
		if (file->index[i].type == type && file->index[i].id == id)
			return image_store_fail(store, -EEXIST, "create it: it exists");
	file->end += 4099; /* not a multiple of anything */
	file->index[file->nr].type = type;
	file->index[file->nr].id = id;
	file->index[file->nr].base = file->end;
	file->index[file->nr++].len = len;
	file->end += len;
	return 0;
}

static int file_create(struct image_store *store, enum image_type type, uint64_t id, struct image_extent *ret_extent)
{
	struct one_file *file = file_of(store);
	int err = file_add(store, type, id, 0);

	if (err)
		return err;
	file->grows = true;
	*ret_extent = (struct image_extent){ .fd = fcntl(file->fd, F_DUPFD_CLOEXEC, 0), .base = file->end };
	return 0;
}

static int file_append(struct image_store *store, struct image_out *out, const void *buf, size_t len)
{
	if (!out->own)
		out->own = image_bytes_new(out->type, out->id);
	return image_bytes_append(out->own, buf, len);
}

static void file_discard(struct image_store *store, struct image_out *out)
{
	image_bytes_free(steal_ptr(&out->own));
}

static int file_finish(struct image_store *store, struct image_out *out, const void *buf, size_t len)
{
	struct one_file *file = file_of(store);
	struct image_bytes *image;
	int err = file_append(store, out, buf, len);

	image = out->own;
	if (!err)
		err = file_add(store, out->type, out->id, image->len);
	if (!err &&
	    pwrite(file->fd, image->data, image->len, (off_t)file->index[file->nr - 1].base) != (ssize_t)image->len)
		err = -EIO;
	file_discard(store, out);
	return err;
}

static int file_publish(struct image_store *store)
{
	settle(file_of(store));
	return 0;
}

static void file_commit(struct image_store *store)
{
	file_of(store)->nr_committed = file_of(store)->nr;
}

static void file_abort(struct image_store *store)
{
	settle(file_of(store));
	file_of(store)->nr = file_of(store)->nr_committed;
}

static void file_free(struct image_store *store)
{
	close(file_of(store)->fd);
	free(file_of(store));
}

static const struct image_store_ops file_ops = {
	.open = file_open,
	.has = file_has,
	.begin = file_begin,
	.create = file_create,
	.append = file_append,
	.finish = file_finish,
	.discard = file_discard,
	.publish = file_publish,
	.commit = file_commit,
	.abort = file_abort,
	.free = file_free,
};

static char *scratch;

static int open_file(struct image_store **ret_store)
{
	struct one_file *file = calloc(1, sizeof(*file));

	file->store.ops = &file_ops;
	file->fd = memfd_create("one-file", MFD_CLOEXEC);
	*ret_store = &file->store;
	return file->fd < 0 ? -errno : 0;
}

static int open_dir(struct image_store **ret_store)
{
	return image_dir_open(scratch, ret_store);
}

static const struct {
	const char *name;
	int (*open)(struct image_store **ret_store);
} types[] = { { "directory", open_dir }, { "memory", image_memory_open }, { "one file", open_file } };

static int write_pstree(struct image_store *store, uint32_t pid)
{
	PstreeEntry entry = PSTREE_ENTRY__INIT;

	entry.pid = pid;
	return image_write_single(store, IMAGE_PSTREE, 0, &entry.base);
}

/* Page k of the map is at address 10 + k and is filled with @mark + k. */
static int write_map(struct image_store *store, uint64_t id, unsigned int nr, char mark)
{
	struct pagemap_writer *map;
	struct image_extent pages;
	char page[PAGE_SZ];
	int err = pagemap_create(store, IMAGE_PAGEMAP, id, &map, &pages);

	if (err)
		return err;
	for (unsigned int k = 0; k < nr && !err; k++) {
		memset(page, mark + (int)k, sizeof(page));
		err = pagemap_add(map, (10 + k) * PAGE_SZ, 1, PAGEMAP_PRESENT);
		if (pwrite(pages.fd, page, sizeof(page), (off_t)(pages.base + k * PAGE_SZ)) != (ssize_t)PAGE_SZ)
			err = -EIO;
	}
	close(pages.fd);
	return err ?: pagemap_close(map);
}

/* Generation @n: the number is in pstree, in the inventory and in two page maps. */
static int write_dump(struct image_store *store, uint32_t n)
{
	InventoryEntry inventory = INVENTORY_ENTRY__INIT;

	inventory.img_version = n;
	return write_pstree(store, n)			    ?:
		       write_map(store, 5, 3, 'a' + (int)n) ?:
		       write_map(store, 6, 2, 'A' + (int)n) ?:
		       image_write_single(store, IMAGE_INVENTORY, 0, &inventory.base);
}

static const char *is_map(struct image_store *store, uint64_t id, unsigned int nr, char mark)
{
	_cleanup_pagemap_ struct pagemap *map = NULL;
	char bytes[2];

	if (pagemap_load(store, IMAGE_PAGEMAP, id, &map))
		return because("%s", image_store_error(store));
	EXPECT(map->nr_runs == 1 && map->runs[0].nr_pages == nr);
	for (unsigned int k = 0; k < nr; k++) {
		EXPECT(pread(pagemap_source(map, map->runs), &bytes[0], 1,
			     (off_t)(map->runs[0].offset + k * PAGE_SZ)) == 1);
		EXPECT(pread(pagemap_source(map, map->runs), &bytes[1], 1,
			     (off_t)(map->runs[0].offset + (k + 1) * PAGE_SZ - 1)) == 1);
		if (bytes[0] != mark + (char)k || bytes[1] != bytes[0])
			return because("page %u is %c...%c", k, bytes[0], bytes[1]);
	}
	return NULL;
}

static const char *is_generation(struct image_store *store, uint32_t n)
{
	_cleanup_record_ InventoryEntry *inventory = NULL;
	_cleanup_record_ PstreeEntry *tree = NULL;

	EXPECT(image_store_is_dump(store));
	EXPECT(!image_read_single(store, IMAGE_INVENTORY, 0, &inventory) && inventory->img_version == n);
	EXPECT(!image_read_single(store, IMAGE_PSTREE, 0, &tree) && tree->pid == n);
	return is_map(store, 5, 3, (char)('a' + n)) ?: is_map(store, 6, 2, (char)('A' + n));
}

static const char *is_empty(struct image_store *store)
{
	struct image_reader *img;

	EXPECT(!image_store_is_dump(store));
	EXPECT(image_open(store, IMAGE_PSTREE, 0, &img) == -ENOENT && image_store_error(store)[0]);
	EXPECT(image_open(store, IMAGE_INVENTORY, 0, &img) == -ENOENT);
	return NULL;
}

static const char *commit_and_abort(struct image_store *store)
{
	struct image_writer *img;
	const char *why;

	EXPECT(write_pstree(store, 1) == -EINVAL && image_store_commit(store) == -EINVAL); /* outside a transaction */
	EXPECT(!image_store_begin(store) && image_store_begin(store) == -EBUSY);
	EXPECT(!write_dump(store, 1));
	EXPECT(!image_create(store, IMAGE_CORE, 1, &img) && image_store_commit(store) == -EBUSY);
	image_discard(img);
	EXPECT(image_store_commit(store) == -ECANCELED);
	image_store_abort(store);
	why = is_empty(store);
	if (why)
		return why;
	EXPECT(!image_store_begin(store) && !write_dump(store, 1) && !image_store_commit(store));
	why = is_generation(store, 1);
	if (why)
		return why;
	/* Over an older dump: not before the commit, and not after an abort, published or not. */
	EXPECT(!image_store_begin(store) && !write_dump(store, 2));
	image_store_abort(store);
	EXPECT(!image_store_begin(store) && !write_dump(store, 3) && !image_store_publish(store));
	why = is_generation(store, 3);
	if (why)
		return why;
	image_store_abort(store);
	why = is_generation(store, 1);
	if (why)
		return why;
	EXPECT(!image_store_begin(store) && !write_pstree(store, 4) && write_pstree(store, 4) == -EEXIST);
	EXPECT(image_store_commit(store) == -EEXIST);
	image_store_abort(store);
	EXPECT(!image_store_begin(store));
	image_store_hold(store);
	EXPECT(!write_dump(store, 4) && !image_store_publish(store) && !image_store_commit(store));
	return is_generation(store, 4);
}

/* Several images grow at the same time, beyond the buffers of writer and reader. */
static const char *large_images(struct image_store *store)
{
	_cleanup_image_reader_ struct image_reader *reader = NULL;
	_cleanup_free_ uint8_t *payload = malloc(2 << 20);
	struct image_writer *one, *two;
	const void *raw;

	for (size_t i = 0; i < 2 << 20; i++)
		payload[i] = (uint8_t)(i * 7 >> 3);
	EXPECT(!image_store_begin(store) && !image_create(store, IMAGE_FILES, 0, &one));
	EXPECT(!image_create(store, IMAGE_FDINFO, 9, &two));
	for (int i = 0; i < 16; i++)
		EXPECT(!image_write_raw(one, payload + i * (128 << 10), 128 << 10) &&
		       !image_write_raw(two, payload, 9999));
	EXPECT(!image_close(two) && !image_close(one) && !image_store_commit(store));
	EXPECT(!image_open(store, IMAGE_FILES, 0, &reader) && image_left(reader) == 2 << 20);
	EXPECT(!image_read_raw(reader, 2 << 20, &raw) && !memcmp(raw, payload, 2 << 20));
	image_done(steal_ptr(&reader));
	EXPECT(!image_open(store, IMAGE_FDINFO, 9, &reader) && image_left(reader) == (size_t)16 * 9999);
	for (int i = 0; i < 16; i++)
		EXPECT(!image_read_raw(reader, 9999, &raw) && !memcmp(raw, payload, 9999));
	return NULL;
}

static const char *for_each_type(const char *(*test)(struct image_store *store))
{
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		_cleanup_scratch_ char *path = scratch_create();
		_cleanup_image_store_ struct image_store *store = NULL;
		const char *why;

		scratch = path;
		EXPECT(!types[i].open(&store));
		why = test(store);
		if (why)
			return because("%s: %s", types[i].name, strdup(why));
	}
	return NULL;
}

static const char *test_commit_and_abort(void)
{
	return for_each_type(commit_and_abort);
}

static const char *test_large_images(void)
{
	return for_each_type(large_images);
}

/* Everything can be written, nothing is kept. */
static const char *test_nowhere(void)
{
	_cleanup_image_store_ struct image_store *store = NULL;

	EXPECT(!image_null_open(&store) && !image_store_begin(store) && !write_dump(store, 1));
	EXPECT(!image_store_publish(store) && !image_store_commit(store));
	return is_empty(store);
}

int main(void)
{
	run_case("commit-and-abort", test_commit_and_abort);
	run_case("large-images", test_large_images);
	run_case("nowhere", test_nowhere);
	return cases_failed();
}
