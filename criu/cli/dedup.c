// SPDX-License-Identifier: GPL-2.0-only
/* criu dedup */
#include <errno.h>
#include <stdio.h>

#include "cli/cli.h"
#include "cli/options.h"
#include "image/dedup.h"
#include "image/dir.h"
#include "image/lineage.h"
#include "util/log.h"

/* Locked against a dump that is still being written, and only what is a dump counts as newer. */
static int dedup(const struct options *opts)
{
	_cleanup_image_store_ struct image_store *dir = NULL;
	uint64_t bytes = 0;
	bool refers = false;
	int err = image_dir_open_fd(opts->images_dir_fd, &dir);

	if (err < 0)
		return fail(err, "open the images directory %s", opts->images_dir);
	err = image_store_lock_for_reading(dir);
	if (!err && !image_store_is_dump(dir))
		return fail(-ENOENT, "%s: there is no inventory.img: it contains no (complete) images",
			    opts->images_dir);
	if (!err)
		err = image_check_lineage(dir);
	if (!err)
		err = image_refers_to_parent(dir, &refers);
	if (!err && refers)
		err = image_dedup_parents(dir, &bytes);
	else if (!err)
		log_warn("these images refer to no page of older ones: nothing is freed");
	log_info("%lu KiB in older images have been freed", bytes >> 10);
	return err < 0 ? fail(err, "%s: %s", opts->images_dir, image_store_error(dir)) : 0;
}

int dedup_command(struct request *req, const struct words *words)
{
	int ret = session_begin(req);

	return ret < 0 ? ret : session_end(req, dedup(&req->opts));
}
