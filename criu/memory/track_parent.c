/* SPDX-License-Identifier: GPL-2.0-only */
/* The previous images: are they those of this tree? Whatever is wrong with them is refused by name. */
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include "base/bits.h"
#include "image/lineage.h"
#include "image/reader.h"
#include "image/verify.h"
#include "inventory.pb-c.h"
#include "memory/dump_memory.h"
#include "memory/memory.h"
#include "memory/tracking.h"
#include "util/log.h"

static int read_inventory(struct dump *dump, struct tracking *t)
{
	const char *path = dump->opts->parent_dir;
	_cleanup_record_ InventoryEntry *entry = NULL;
	int err;

	if (!image_store_is_dump(t->parent))
		return fail(-ENOENT,
			    "--prev-images-dir %s: there is no inventory.img: it contains no (complete) images", path);
	err = image_read_single(t->parent, IMAGE_INVENTORY, 0, &entry);
	if (err)
		return fail(err, "--prev-images-dir %s: %s", path, image_store_error(t->parent));
	if (!entry->has_dump_uptime)
		return fail(-EBADMSG,
			    "--prev-images-dir %s: the inventory has no dump_uptime: no dump that tracked memory",
			    path);
	t->parent_uptime = entry->dump_uptime;
	if (entry->dump_criu_run_id && strlen(entry->dump_criu_run_id) == RUN_ID_SIZE - 1)
		memcpy(t->parent_run_id, entry->dump_criu_run_id, RUN_ID_SIZE);
	err = image_use_checksums(t->parent, entry);
	t->parent_is_summed = !err && image_store_has_checksum(t->parent, IMAGE_INVENTORY, 0);
	return err ? fail(err, "--prev-images-dir %s: %s", path, image_store_error(t->parent)) : 0;
}

int track_open_parent(struct dump *dump)
{
	struct tracking *t = dump->memory->tracking;
	const char *path = dump->opts->parent_dir;
	/* Images in a stream have no directory. */
	struct image_store *child = dump->record ? dump->record : dump->dir;
	int err = image_store_set_parent(child, path);

	if (path[0] == '/')
		log_warn(
			"--prev-images-dir %s: the link `parent` is absolute, and wrong once the images have been moved",
			path);
	if (!err)
		err = image_store_parent(child, &t->parent);
	if (err)
		return fail(err, "--prev-images-dir %s: %s", path, image_store_error(child));
	err = image_store_lock_for_reading(t->parent);
	if (err)
		return fail(err, "--prev-images-dir %s: %s", path, image_store_error(t->parent));
	err = read_inventory(dump, t);
	if (err)
		return err;
	err = image_check_lineage(t->parent);
	if (err)
		return fail(err, "--prev-images-dir %s: %s", path, image_store_error(t->parent));
	return dump->record ? track_refer_stream(dump) : 0;
}

static bool has_image(struct tracking *t, enum image_type type, pid_t pid)
{
	struct image_extent extent;

	/* What cannot be opened is there. */
	if (image_store_open(t->parent, type, (uint64_t)pid, &extent) == -ENOENT)
		return false;
	cleanup_close(&extent.fd);
	return true;
}

int track_check_parent(struct dump *dump)
{
	struct tracking *t = dump->memory->tracking;
	const struct dump_task *root = dump_task_of(dump->tree.root);
	const char *path = dump->opts->parent_dir;
	/* In clock ticks, as the start of a process. */
	uint64_t made = (uint64_t)((__uint128_t)t->parent_uptime * (uint64_t)sysconf(_SC_CLK_TCK) / 1000000);

	if (root->memory->track && root->memory->track->parent)
		return 0;
	if (root->stat.start_time > made)
		return fail(
			-ESRCH,
			"--prev-images-dir %s: process %d has started after these images were made: they are of another one",
			path, root->t.host_pid);
	if (!has_image(t, IMAGE_PAGEMAP, root->t.pid) && !has_image(t, IMAGE_SENT_PAGES, root->t.pid))
		return fail(-ESRCH,
			    "--prev-images-dir %s: there is no pagemap-%d.img: the images are of another process", path,
			    root->t.pid);
	if (!has_image(t, IMAGE_PAGEMAP, root->t.pid) && !dump->opts->page_server && !dump->opts->stream)
		return fail(
			-EOPNOTSUPP,
			"--prev-images-dir %s: the pages of these images are on a page server, or were in a stream: copy its images there, or send these with --page-server (--stream), too",
			path);
	log_warn(
		"--prev-images-dir %s: writes of process %d have not been tracked since these images were made (%s): its memory is saved as a whole",
		path, root->t.host_pid,
		t->parent_run_id[0] ? "it has executed another program, or others were made later, or a " TRACKER_NAME
				      " process was killed, or criu ran in another pid namespace then" :
				      "by another program");
	return 0;
}
