// SPDX-License-Identifier: GPL-2.0-only
#include "dump/record.h"

#include "image/dir.h"
#include "image/stream.h"
#include "image/writer.h"
#include "util/log.h"

static int record_fail(struct dump *dump, int err)
{
	return err < 0 ? fail(err, "%s: %s", dump->opts->images_dir, image_store_error(dump->record)) : 0;
}

int record_open(struct dump *dump)
{
	const struct options *opts = dump->opts;
	int err;

	if (opts->stream != STREAM_BY_STDIO || (!opts->track_mem && !opts->parent_dir))
		return 0;
	err = image_dir_open_fd(opts->images_dir_fd, &dump->record);
	if (err)
		return fail(err, "open the images directory %s", opts->images_dir);
	if (dump_is_pre_dump(dump))
		image_stream_set_previous(dump->dir);
	return record_fail(dump, image_store_begin(dump->record));
}

/* Only a dump that tracks memory has a next one. */
static bool is_kept(const struct dump *dump)
{
	return dump->record && dump->opts->track_mem;
}

int record_inventory(struct dump *dump, InventoryEntry *entry)
{
	if (!is_kept(dump))
		return 0;
	entry->has_checksums = entry->checksums = image_store_has_checksums(dump->record);
	return record_fail(dump, image_write_single(dump->record, IMAGE_INVENTORY, 0, &entry->base));
}

int record_publish(struct dump *dump)
{
	return is_kept(dump) ? record_fail(dump, image_store_publish(dump->record)) : 0;
}

int record_commit(struct dump *dump)
{
	if (is_kept(dump))
		return record_fail(dump, image_store_commit(dump->record));
	/* Statistics follow: they lock the directory themselves. */
	if (dump->record)
		image_store_abort(dump->record);
	return 0;
}
