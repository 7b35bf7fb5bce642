// SPDX-License-Identifier: GPL-2.0-only
/* The checksums of a directory's images: written with them, and compared when they are read. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "image/dir_store.h"
#include "image/page_map_runs.h"
#include "util/crc32c.h"
#include "util/fds.h"

enum { PIECE = 256 << 10 };

/* ---- writing ---- */

/* Images that are not part of a dump (a CPU's description) may replace one that is. */
static int amend(struct dir_store *dir, struct checksums *sums)
{
	return dir_exists(dir, CHECKSUMS_NAME) ? checksums_read(&dir->store, IMAGE_CHECKSUMS, sums) : -ENOENT;
}

static int collect(struct dir_store *dir, struct checksums *sums)
{
	int err = 0;

	for (size_t i = 0; !err && i < dir->nr_files; i++)
		if (dir->files[i].summed)
			err = checksums_put(sums, dir->files[i].name, dir->files[i].size, dir->files[i].crc);
	return err ? dir_fail(dir, err, "list of checksums: %s", strerror(-err)) : 0;
}

int dir_write_sums(struct dir_store *dir)
{
	enum image_type type = dir->part ? IMAGE_PAGE_CHECKSUMS : IMAGE_CHECKSUMS;
	struct checksums sums = { 0 };
	int err = 0;

	/* Checksums that were copied with the images are kept. */
	if (dir->beside || dir_find_file(dir, dir->part ? PAGE_CHECKSUMS_NAME : CHECKSUMS_NAME))
		return 0;
	dir->holds = false;
	if (!dir->part && !dir_find_file(dir, INVENTORY_NAME))
		err = amend(dir, &sums);
	if (!err)
		err = collect(dir, &sums);
	if (dir->part && !uuid_is_zero(&dir->run))
		uuid_format(&dir->run, sums.run_id);
	if (!err)
		err = checksums_write(&dir->store, type, &sums);
	checksums_free(&sums);
	return err == -ENOENT ? 0 : err;
}

/* ---- reading ---- */

static bool is_page_map(const struct checksum *sum)
{
	return sum->type == IMAGE_PAGEMAP || sum->type == IMAGE_SHMEM_PAGEMAP;
}

static bool has_page_maps(const struct checksums *sums)
{
	for (size_t i = 0; i < sums->n; i++)
		if (is_page_map(&sums->v[i]))
			return true;
	return false;
}

static int add_server_sums(struct dir_store *dir, const struct checksums *theirs)
{
	int err = 0;

	for (size_t i = 0; !err && i < theirs->n; i++) {
		const struct checksum *from = &theirs->v[i];

		if (checksums_find(&dir->sums, from->type, from->id))
			continue;
		err = checksums_put(&dir->sums, from->name, from->size, from->crc);
		if (!err)
			checksums_find(&dir->sums, from->type, from->id)->optional = true;
	}
	return err ? dir_fail(dir, err, "list of checksums: %s", strerror(-err)) : 0;
}

/* The page maps that are here now are not those which the server received for another dump. */
static int check_not_theirs(struct dir_store *dir, const struct checksums *theirs, const char *run_id)
{
	for (size_t i = 0; i < theirs->n; i++) {
		bool is_theirs = false;
		int err =
			is_page_map(&theirs->v[i]) ? page_map_is_as_summed(&dir->store, &theirs->v[i], &is_theirs) : 0;

		if (err)
			return err;
		if (is_theirs)
			return dir_fail(
				dir, -EBADMSG,
				"%s is of another dump: a page server has received it for %s, and these images are of %s: "
				"copy the images that it has received for this one (if they are, remove " PAGE_CHECKSUMS_NAME
				")",
				theirs->v[i].name, theirs->run_id, run_id);
	}
	return 0;
}

/* A page server may have served another dump in this directory, before or after this one. */
static int use_server_sums(struct dir_store *dir, const char *run_id)
{
	struct checksums theirs = { 0 };
	int err = 0;

	if (run_id && !has_page_maps(&dir->sums) && dir_exists(dir, PAGE_CHECKSUMS_NAME))
		err = checksums_read(&dir->store, IMAGE_PAGE_CHECKSUMS, &theirs);
	if (!err && theirs.run_id[0])
		err = strcmp(theirs.run_id, run_id) ? check_not_theirs(dir, &theirs, run_id) :
						      add_server_sums(dir, &theirs);
	checksums_free(&theirs);
	return err;
}

int dir_use_sums(struct image_store *store, const char *run_id)
{
	struct dir_store *dir = dir_of(store);
	int err;

	if (dir->sums.n || !dir_exists(dir, CHECKSUMS_NAME))
		return 0;
	err = checksums_read(store, IMAGE_CHECKSUMS, &dir->sums);
	return err ? err : use_server_sums(dir, run_id);
}

bool dir_has_sum(const struct image_store *store, enum image_type type, uint64_t id)
{
	return checksums_find(&dir_of((struct image_store *)store)->sums, type, id);
}

static int compare(struct dir_store *dir, struct checksum *sum, uint64_t size, uint32_t crc)
{
	if (size != sum->size)
		return dir_fail(
			dir, -EBADMSG,
			"%s is damaged: it has %lu bytes instead of %lu (if it was edited, remove " CHECKSUMS_NAME ")",
			sum->name, size, sum->size);
	if (crc != sum->crc)
		return dir_fail(dir, -EBADMSG,
				"%s is damaged: its checksum is %08x instead of %08x (if it was edited, "
				"remove " CHECKSUMS_NAME ")",
				sum->name, crc, sum->crc);
	sum->verified = true;
	return 0;
}

int dir_verify(struct image_store *store, enum image_type type, uint64_t id, const void *bytes, size_t len)
{
	struct dir_store *dir = dir_of(store);
	struct checksum *sum = checksums_find(&dir->sums, type, id);

	return sum ? compare(dir, sum, len, len == sum->size ? crc32c(0, bytes, len) : 0) : 0;
}

static int sum_file(const struct image_extent *extent, uint32_t *ret_crc)
{
	_cleanup_free_ char *buf = malloc(PIECE);
	uint32_t crc = 0;

	for (uint64_t at = 0; buf && at < extent->len; at += PIECE) {
		uint64_t len = MIN_OF((uint64_t)PIECE, extent->len - at);
		int err = pread_exact(extent->fd, buf, len, (off_t)(extent->base + at));

		if (err)
			return err;
		crc = crc32c(crc, buf, len);
	}
	*ret_crc = crc;
	return buf ? 0 : -ENOMEM;
}

static int verify_file(struct dir_store *dir, struct checksum *sum)
{
	struct image_extent extent;
	uint32_t crc = 0;
	int err = dir_open(&dir->store, sum->type, sum->id, &extent);

	if (err == -ENOENT)
		return dir_fail(dir, -EBADMSG, "%s is missing, though " CHECKSUMS_NAME " names it", sum->name);
	if (err)
		return err;
	if (extent.fd < 0)
		return dir_verify(&dir->store, sum->type, sum->id, extent.bytes, extent.len);
	if (extent.len == sum->size)
		err = sum_file(&extent, &crc);
	cleanup_close(&extent.fd);
	if (err)
		return dir_fail(dir, err, "read %s: %s", sum->name, strerror(-err));
	return compare(dir, sum, extent.len, crc);
}

int dir_verify_all(struct image_store *store)
{
	struct dir_store *dir = dir_of(store);
	int err = 0;

	/* Page maps of a server that this dump refers to have been read. */
	for (size_t i = 0; !err && i < dir->sums.n; i++)
		if (!dir->sums.v[i].verified && !dir->sums.v[i].optional)
			err = verify_file(dir, &dir->sums.v[i]);
	return err;
}
