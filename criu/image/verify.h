/* SPDX-License-Identifier: GPL-2.0-only */
/* Which images have checksums to compare: those of a dump that says that it wrote some. */
#pragma once
#include "image/store.h"
#include "inventory.pb-c.h"

/*
 * To be called when the inventory of @dir has been read. A checksums.img that an earlier dump has left in the directory is
 * ignored: CRIU replaces images, and leaves that one.
 */
static inline int image_use_checksums(struct image_store *dir, const InventoryEntry *inventory)
{
	/* Either is sufficient: one of them may be what is damaged. */
	return inventory->origin || inventory->has_checksums ?
		       image_store_use_checksums(dir, inventory->dump_criu_run_id) :
		       0;
}
