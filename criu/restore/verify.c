/* SPDX-License-Identifier: GPL-2.0-only */
/* Are the images those that were written? Most have been compared with their checksums when they were loaded. */
#include "image/store.h"
#include "restore/restore.h"
#include "run/restore.h"
#include "util/log.h"

int restore_verify_images(struct restore *r)
{
	int err = image_store_verify_all(r->dir);

	return err ? fail(err, "%s", image_store_error(r->dir)) : 0;
}
