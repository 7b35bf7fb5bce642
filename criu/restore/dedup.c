/* SPDX-License-Identifier: GPL-2.0-only */
/* --auto-dedup: pages that have been restored are not needed any more. */
#include "image/dedup.h"
#include "restore/restore.h"
#include "run/restore.h"
#include "util/log.h"

void restore_dedup(struct restore *r)
{
	uint64_t bytes = 0;
	int err;

	if (!r->opts->auto_dedup)
		return;
	err = image_dedup_restored(r->dir, &bytes);
	if (err)
		log_warn("--auto-dedup: %s", image_store_error(r->dir));
	else
		log_info("%lu KiB of the images have been freed", bytes >> 10);
}
