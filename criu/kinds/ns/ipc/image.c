// SPDX-License-Identifier: GPL-2.0-only
/* The image of all objects of one type in a namespace: there is none if there are no objects. */
#include <errno.h>
#include "base/cleanup.h"
#include "internal.h"
#include "util/log.h"

int ipc_image_need(struct dump *dump, enum image_type type, const struct ns *ns, struct image_writer **img)
{
	int err = *img ? 0 : image_create(dump->dir, type, ns->id, img);

	return err < 0 ? fail(err, "%s", image_store_error(dump->dir)) : 0;
}

int ipc_image_complete(struct dump *dump, struct image_writer **img)
{
	int err = *img ? image_close(steal_ptr(img)) : 0;

	return err < 0 ? fail(-EIO, "%s", image_store_error(dump->dir)) : 0;
}
