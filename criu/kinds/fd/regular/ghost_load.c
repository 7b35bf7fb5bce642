// SPDX-License-Identifier: GPL-2.0-only
/* Reads remap-fpath.img and ghost-file-ID.img; ghost_save.c and locate.c write them. */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "kinds/fd/regular/internal.h"
#include "util/fds.h"

/*
 * Advances @at past the chunk. Chunks must be in order, so that a crafted image cannot write the same range for ever.
 */
static int read_chunk(struct image_reader *img, const GhostChunkEntry *chunk, uint64_t size, int fd, uint64_t *at)
{
	const void *bytes;
	int err;

	if (chunk->off < *at || chunk->off > size || chunk->len > size - chunk->off)
		return image_refuse(img, "invalid chunk of %" PRIu64 " bytes at %" PRIu64, chunk->len, chunk->off);
	err = image_read_raw(img, chunk->len, &bytes);
	if (!err && fd >= 0)
		err = pwrite_full(fd, bytes, chunk->len, chunk->off);
	*at = chunk->off + chunk->len;
	return err;
}

static int read_content(struct image_reader *img, const GhostFileEntry *head, int fd, uint64_t *ret_size)
{
	uint64_t at = 0, size = head->has_size ? head->size : image_left(img);
	const void *bytes;
	int err = 0, got;

	if (size > INT64_MAX)
		return image_refuse(img, "invalid size of %" PRIu64 " bytes", size);
	if (!head->chunks) {
		*ret_size = image_left(img);
		err = image_read_raw(img, *ret_size, &bytes);
		return err || fd < 0 ? err : pwrite_full(fd, bytes, *ret_size, 0);
	}
	if (!head->has_size)
		return image_refuse(img, "chunks without a size");
	*ret_size = size;
	while (!err) {
		GhostChunkEntry *chunk;

		got = image_read_record(img, &ghost_chunk_entry__descriptor, &chunk);
		if (got <= 0)
			return got;
		err = read_chunk(img, chunk, size, fd, &at);
		image_free_record(chunk);
	}
	return err;
}

static int open_ghost(struct restore *r, uint64_t id, struct image_reader **ret_img, GhostFileEntry **ret_head)
{
	int err = image_open(r->dir, IMAGE_GHOST_FILE, id, ret_img);

	if (err)
		return fail(err, "%s", image_store_error(r->dir));
	err = image_need_record(*ret_img, &ghost_file_entry__descriptor, ret_head);
	return err ? fail(err, "%s", image_error(*ret_img)) : 0;
}

int ghost_content(struct restore *r, const struct ghost *ghost, int fd, uint64_t *ret_size)
{
	_cleanup_image_reader_ struct image_reader *img = NULL;
	_cleanup_record_ GhostFileEntry *head = NULL;
	int err = open_ghost(r, ghost->record.b, &img, &head);

	if (err)
		return err;
	err = read_content(img, head, fd, ret_size);
	if (err == -EBADMSG)
		return fail(err, "%s", image_error(img));
	return err ? fail(err, "write the content of a ghost file") : 0;
}

static int copy_head(struct restore *r, struct image_reader *img, const GhostFileEntry *head, struct ghost *ghost)
{
	size_t len = ghost_file_entry__get_packed_size(head);
	uint8_t *packed = restore_alloc(r, len + 1);

	if (!packed)
		return fail(-ENOMEM, "unlinked file");
	ghost_file_entry__pack(head, packed);
	ghost->head = ghost_file_entry__unpack(&r->arena.protobuf, len, packed);
	if (!ghost->head)
		return fail(-ENOMEM, "unlinked file");
	switch (head->mode & S_IFMT) {
	case S_IFREG:
	case S_IFDIR:
	case S_IFIFO:
		break;
	case S_IFCHR:
	case S_IFBLK:
		if (!head->has_rdev)
			return image_refuse(img, "a device without its device number");
		break;
	case S_IFLNK:
		if (!head->symlnk_target || !head->symlnk_target[0])
			return image_refuse(img, "a symbolic link without its target");
		break;
	default:
		return image_refuse(img, "mode %#o is not a valid file type", head->mode);
	}
	return 0;
}

int ghost_load(struct restore *r, struct regular_restore *data, uint32_t id, struct ghost **ret_ghost)
{
	_cleanup_image_reader_ struct image_reader *img = NULL;
	_cleanup_record_ GhostFileEntry *head = NULL;
	struct ghost *ghost = record_find(&data->ghosts, 0, id);
	int err;

	*ret_ghost = ghost;
	if (ghost)
		return 0;
	err = open_ghost(r, id, &img, &head);
	if (err)
		return err;
	*ret_ghost = ghost = record_new(&r->arena, &data->ghosts, 0, id, sizeof(*ghost));
	if (!ghost)
		return fail(-ENOMEM, "unlinked file");
	ghost->created_fd = -1;
	err = copy_head(r, img, head, ghost);
	if (!err && S_ISREG(head->mode))
		err = read_content(img, head, -1, &ghost->size);
	return err == -EBADMSG ? fail(err, "%s", image_error(img)) : err;
}

static int remap_load(struct restore *r, struct regular_restore *data, const RemapFilePathEntry *entry)
{
	struct remap *remap;

	if (record_find(&data->remaps, 0, entry->orig_id))
		return fail(-EBADMSG, "remap-fpath.img: duplicate entry for file %u", entry->orig_id);
	remap = record_new(&r->arena, &data->remaps, 0, entry->orig_id, sizeof(*remap));
	if (!remap)
		return fail(-ENOMEM, "remap-fpath.img");
	remap->entry = entry;
	remap->fd = -1;
	switch (entry->has_remap_type ? entry->remap_type : REMAP_TYPE__GHOST) {
	case REMAP_TYPE__GHOST:
		return ghost_load(r, data, entry->remap_id, &remap->ghost);
	case REMAP_TYPE__LINKED:
		return 0;
	case REMAP_TYPE__PROCFS:
		remap->of_gone_task = true;
		return 0;
	default:
		return fail(-EBADMSG, "remap-fpath.img: unknown remap type of file %u (%d)", entry->orig_id,
			    (int)entry->remap_type);
	}
}

int remaps_load(struct restore *r, struct regular_restore **ret_data)
{
	struct regular_restore *data = kind_data_of(&r->arena, restore_kind_data(r, &regular_kind), sizeof(*data));
	struct restore_records entries;
	int err;

	if (!data)
		return fail(-ENOMEM, "remap-fpath.img");
	*ret_data = data;
	if (data->loaded)
		return 0;
	data->loaded = true;
	err = restore_read_records(r, IMAGE_REMAP_FPATH, 0, &remap_file_path_entry__descriptor, &entries);
	for (size_t i = 0; !err && i < entries.n; i++)
		err = remap_load(r, data, (const RemapFilePathEntry *)entries.v[i]);
	return err;
}
