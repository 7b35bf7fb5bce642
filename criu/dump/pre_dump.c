/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A pre-dump: the tree is stopped while its memory is armed, and copied afterwards. A page that is written to before it is copied may be
 * in the images as it is before or after that, and is saved again by the next dump.
 */
#include <string.h>
#include "dump/dump.h"
#include "dump/origin.h"
#include "dump/record.h"
#include "inventory.pb-c.h"
#include "memory/memory.h"
#include "rpc.pb-c.h"
#include "run/dump.h"
#include "util/log.h"

int dump_pre_dump_scan(struct dump *dump)
{
	struct dump_task *dt;
	int err = 0;

	dump_for_each_task(dt, dump) {
		LOG_SCOPE("pid %d", dt->t.pid);

		if (!err && dt->mm_owner && dt->t.state != TASK_DEAD)
			err = memory_pre_dump_mm(dump, dt, &dt->mm);
		if (!err)
			err = dump_interrupted_soon(dump);
	}
	return err;
}

/* As in CRIU: a version that no restore accepts. */
static int save_inventory(struct dump *dump)
{
	InventoryEntry entry = INVENTORY_ENTRY__INIT;
	PluginsEntry plugins = PLUGINS_ENTRY__INIT;
	struct origin origin;
	int err;

	entry.img_version = IMAGE_VERSION_PRE_DUMP;
	entry.has_dump_uptime = true;
	entry.dump_uptime = (uint64_t)dump->stood.boottime / 1000;
	entry.has_pre_dump_mode = true;
	entry.pre_dump_mode =
		dump->opts->pre_dump_mode == PRE_DUMP_READ ? CRIU_PRE_DUMP_MODE__VM_READ : CRIU_PRE_DUMP_MODE__SPLICE;
	entry.plugins_entry = &plugins;
	dump_fill_origin(dump, &origin);
	entry.origin = &origin.entry;
	entry.has_checksums = entry.checksums = image_store_has_checksums(dump->dir);
	entry.dump_criu_run_id = dump->run_id;
	if (dump->stats.dump.pages_skipped_parent)
		entry.parent_run_id = (char *)memory_parent_run_id(dump);
	err = image_write_single(dump->dir, IMAGE_INVENTORY, 0, &entry.base);
	return err < 0 ? fail(err, "%s", image_store_error(dump->dir)) : record_inventory(dump, &entry);
}

int dump_pre_dump_save(struct dump *dump)
{
	struct dump_task *dt;
	int err = 0;

	dump_for_each_task(dt, dump) {
		LOG_SCOPE("pid %d", dt->t.pid);

		if (!err && dt->mm)
			err = memory_save_pages(dump, dt, dt->mm);
		if (!err)
			err = dump_interrupted_soon(dump);
	}
	return err ? err : save_inventory(dump);
}
