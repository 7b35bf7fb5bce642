// SPDX-License-Identifier: GPL-2.0-only
#include "image/page_map_runs.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "base/cleanup.h"
#include "image/reader.h"
#include "image/store_ops.h"
#include "inventory.pb-c.h"
#include "util/crc32c.h"
#include "util/fds.h"

void page_map_runs_free(struct page_map_runs *runs)
{
	checksums_free(&runs->server);
	checksums_free(&runs->own);
}

static int read_if_there(struct image_store *dir, enum image_type type, struct checksums *sums, bool *ret_there)
{
	int err = checksums_read(dir, type, sums);

	*ret_there = !err;
	return err == -ENOENT ? 0 : err;
}

int page_map_runs_read(struct image_store *dir, struct page_map_runs *ret)
{
	_cleanup_record_ InventoryEntry *entry = NULL;
	struct page_map_runs runs = { .dir = dir };
	bool there;
	int err = read_if_there(dir, IMAGE_PAGE_CHECKSUMS, &runs.server, &there);

	if (!err && image_store_is_dump(dir))
		err = image_read_single(dir, IMAGE_INVENTORY, 0, &entry);
	if (!err && entry && entry->dump_criu_run_id)
		snprintf(runs.run_id, sizeof(runs.run_id), "%s", entry->dump_criu_run_id);
	if (!err && entry && (entry->origin || entry->has_checksums))
		err = read_if_there(dir, IMAGE_CHECKSUMS, &runs.own, &runs.has_own);
	if (err)
		page_map_runs_free(&runs);
	else
		*ret = runs;
	return err;
}

int page_map_is_as_summed(struct image_store *dir, const struct checksum *sum, bool *ret)
{
	_cleanup_buf_ struct buf content = { 0 };
	struct image_extent extent;
	_cleanup_close_ int fd = -1;
	int err = image_store_open(dir, sum->type, sum->id, &extent);

	*ret = false;
	if (err)
		return err == -ENOENT ? 0 : err;
	fd = extent.fd;
	if (extent.len != sum->size)
		return 0;
	if (fd < 0) {
		*ret = crc32c(0, extent.bytes, extent.len) == sum->crc;
		return 0;
	}
	err = buf_reserve(&content, extent.len);
	if (!err)
		err = pread_exact(fd, content.data, extent.len, (off_t)extent.base);
	if (err)
		return image_store_fail(dir, err, "read %s: %s", sum->name, strerror(-err));
	*ret = crc32c(0, content.data, extent.len) == sum->crc;
	return 0;
}

static int exists(struct image_store *dir, enum image_type type, uint64_t id, bool *ret)
{
	struct image_extent extent;
	int err = image_store_open(dir, type, id, &extent);

	*ret = !err;
	if (!err)
		cleanup_close(&extent.fd);
	return err == -ENOENT ? 0 : err;
}

int page_map_runs_match(const struct page_map_runs *runs, enum image_type type, uint64_t id, const char *run_id,
			bool *ret)
{
	const bool of_server = !strcmp(runs->server.run_id, run_id), of_dump = !strcmp(runs->run_id, run_id);
	const struct checksum *sum = of_server ? checksums_find(&runs->server, type, id) : NULL;

	if (!sum && of_dump && runs->has_own)
		sum = checksums_find(&runs->own, type, id);
	if (sum)
		return page_map_is_as_summed(runs->dir, sum, ret);
	if ((of_dump && !runs->has_own) || (!runs->server.run_id[0] && !runs->run_id[0]))
		return exists(runs->dir, type, id, ret);
	*ret = false;
	return 0;
}
