// SPDX-License-Identifier: GPL-2.0-only
#include "page_server/images.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/bits.h"
#include "base/cleanup.h"
#include "image/dedup.h"
#include "image/dir.h"
#include "image/reader.h"
#include "util/fds.h"
#include "util/log.h"

/* As 4.2: the numbers below are for the images that the dump itself writes. */
#define LAST_PAGES_ID 65536

static int store_error(const struct images *images, int err)
{
	return err < 0 ? fail(err, "%s", image_store_error(images->store)) : 0;
}

/* Also a directory that is used again as its own ancestor. Whatever else is wrong with older images matters only if pages of them are needed. */
static int check_for_loops(struct images *images, struct image_store *parent)
{
	struct image_store *at = parent;
	int err = 0;

	while (!images->knows_chain && !err) {
		parent = at;
		err = image_store_parent(parent, &at);
	}
	images->knows_chain = err != -ELOOP;
	return err == -ELOOP ? fail(err, "the parent directory: %s: an older directory of the server is used again",
				    image_store_error(parent)) :
			       0;
}

/* It is refused at once if it cannot be opened. */
static int set_parent(struct images *images, const char *path)
{
	struct image_store *parent;
	int err = image_store_set_parent(images->store, path);

	if (!err)
		err = image_store_parent(images->store, &parent);
	if (err)
		return fail(err, "--prev-images-dir %s: %s", path, image_store_error(images->store));
	return check_for_loops(images, parent);
}

int images_begin(struct images *images, int dir, const char *parent)
{
	int err;

	*images = (struct images){ .pages.fd = -1, .last_pages_id = LAST_PAGES_ID };
	err = image_dir_open_fd(dir, &images->store);
	if (err)
		return fail(err, "open the images directory");
	err = image_store_begin(images->store);
	if (err)
		return store_error(images, err);
	image_store_part(images->store, LAST_PAGES_ID);
	return parent ? set_parent(images, parent) : 0;
}

static int close_image(struct images *images)
{
	int err = images->map ? pagemap_close(steal_ptr(&images->map)) : 0;

	cleanup_close(&images->pages.fd);
	images->pages.fd = -1;
	pagemap_free(steal_ptr(&images->parent));
	images->bytes = 0;
	return store_error(images, err);
}

void images_free(struct images *images)
{
	pagemap_discard(steal_ptr(&images->map));
	cleanup_close(&images->pages.fd);
	pagemap_free(steal_ptr(&images->parent));
	image_store_close(steal_ptr(&images->store));
	hash_free(&images->received);
	page_map_runs_free(&images->parent_runs);
}

void images_set_run(struct images *images, const struct uuid *run)
{
	image_store_set_run(images->store, run);
}

bool images_is_open(const struct images *images, enum image_type type, uint64_t id)
{
	return images->map && images->type == type && images->id == id;
}

static uint64_t key_of(enum image_type type, uint64_t id)
{
	return id << 1 | (type == IMAGE_SHMEM_PAGEMAP);
}

/* An image that was received already, if it was. */
static int drop(struct images *images, enum image_type type, uint64_t id, const char *name)
{
	uint64_t pages_id;
	int err;

	if (!hash_get(&images->received, key_of(type, id), &pages_id))
		return 0;
	log_info("%s: the client sends it again", name);
	err = image_store_drop(images->store, type, id);
	if (!err)
		err = image_store_drop(images->store, IMAGE_PAGES, pages_id);
	return store_error(images, err);
}

int images_open(struct images *images, enum image_type type, uint64_t id, bool replace)
{
	char name[IMAGE_NAME_MAX];
	int err = close_image(images);

	if (err)
		return err;
	image_name(type, id, name);
	if (!replace && hash_get(&images->received, key_of(type, id), &(uint64_t){ 0 }))
		return fail(-EPROTO, "%s: more pages, though another image was sent meanwhile", name);
	err = drop(images, type, id, name);
	if (err)
		return err;
	err = pagemap_create(images->store, type, id, &images->map, &images->pages);
	if (err)
		return store_error(images, err);
	images->type = type;
	images->id = id;
	log_debug("receiving %s", name);
	return hash_put(&images->received, key_of(type, id), ++images->last_pages_id) ? fail(-ENOMEM, "images") : 0;
}

/* -ENOENT, not logged: there is no parent. */
static int find_parent(struct images *images, struct image_store **ret)
{
	int err = image_store_parent(images->store, ret);

	if (err)
		return err == -ENOENT ? err : store_error(images, err);
	return check_for_loops(images, *ret);
}

static int parent_error(struct image_store *parent, int err)
{
	return fail(err, "the parent directory: %s", image_store_error(parent));
}

int images_in_parent(struct images *images, enum image_type type, uint64_t id, enum images_parent *ret)
{
	struct image_store *parent;
	struct image_extent extent;
	int err = find_parent(images, &parent);

	*ret = IMAGES_LACK;
	if (err)
		return err == -ENOENT ? 0 : err;
	err = image_store_open(parent, type, id, &extent);
	if (err)
		return err == -ENOENT ? 0 : parent_error(parent, err);
	cleanup_close(&extent.fd);
	*ret = IMAGES_HAVE;
	return 0;
}

int images_parent_of(struct images *images, enum image_type type, uint64_t id, const struct uuid *run,
		     enum images_parent *ret)
{
	struct image_store *parent;
	char wanted[UUID_SIZE];
	bool matches;
	int err = images_in_parent(images, type, id, ret);

	if (err || *ret != IMAGES_HAVE)
		return err;
	err = find_parent(images, &parent);
	if (err)
		return err;
	if (!images->knows_parent_runs)
		err = page_map_runs_read(parent, &images->parent_runs);
	images->knows_parent_runs = !err;
	uuid_format(run, wanted);
	if (!err)
		err = page_map_runs_match(&images->parent_runs, type, id, wanted, &matches);
	if (err)
		return parent_error(parent, err);
	*ret = matches ? IMAGES_HAVE : IMAGES_OTHER;
	return 0;
}

/* The parent needs its whole chain: a page that is missing there would be noticed at restore, when it is too late. */
static int load_parent(struct images *images)
{
	struct image_store *parent;
	int err;

	if (images->parent)
		return 0;
	err = find_parent(images, &parent);
	if (err == -ENOENT)
		return fail(
			-EBADMSG,
			"pages of the parent are referred to, but there is no link `parent` in the images directory; "
			"give --prev-images-dir to the page server, too");
	if (!err) {
		err = pagemap_load(parent, images->type, images->id, &images->parent);
		if (err)
			fail(err, "the parent directory: %s",
			     err == -ENOENT ? "no such page map" : image_store_error(parent));
	}
	return err;
}

static int check_parent(struct images *images, uint64_t vaddr, uint64_t nr_pages)
{
	const uint64_t end = vaddr + nr_pages * PAGE_SZ;
	int err = load_parent(images);

	while (!err && vaddr < end) {
		const struct pagemap_run *run = pagemap_find(images->parent, vaddr);

		if (!run || run->vaddr > vaddr || !(run->flags & PAGEMAP_PRESENT))
			err = fail(-EBADMSG, "the parent directory has no page at %#lx", vaddr);
		else
			vaddr = run->vaddr + run->nr_pages * PAGE_SZ;
	}
	return err;
}

int images_add_run(struct images *images, uint64_t vaddr, uint64_t nr_pages, uint32_t flags)
{
	int err = store_error(images, pagemap_add(images->map, vaddr, nr_pages, flags));

	if (!err && flags & PAGEMAP_PARENT)
		err = check_parent(images, vaddr, nr_pages);
	if (!err)
		images->nr_pages += nr_pages;
	return err;
}

int images_add_summed(struct images *images, uint64_t vaddr, uint64_t nr_pages, uint32_t flags, const uint32_t *sums)
{
	int err = store_error(images, pagemap_add_summed(images->map, vaddr, nr_pages, flags, sums));

	if (!err)
		images->nr_pages += nr_pages;
	return err;
}

int images_write(struct images *images, const void *data, size_t len)
{
	int err = pwrite_full(images->pages.fd, data, len, (off_t)(images->pages.base + images->bytes));

	if (err)
		return fail(err, "write the pages image");
	images->bytes += len;
	return 0;
}

int images_publish(struct images *images)
{
	int err = close_image(images);

	return err ? err : store_error(images, image_store_publish(images->store));
}

void images_commit(struct images *images)
{
	image_store_commit(images->store);
}

void images_dedup(struct images *images)
{
	struct image_store *parent;
	uint64_t bytes = 0;
	int err = image_store_parent(images->store, &parent);

	if (err == -ENOENT)
		return;
	if (!err)
		err = image_dedup_parents(images->store, &bytes);
	if (err)
		log_warn("--auto-dedup: %s", image_store_error(images->store));
	log_info("--auto-dedup: %lu bytes of the previous images were freed", bytes);
}
