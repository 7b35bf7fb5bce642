// SPDX-License-Identifier: GPL-2.0-only
/* The mappings of each task, and their flags. */
#include <errno.h>
#include <string.h>
#include "dump/dump.h"
#include "run/dump.h"
#include "util/log.h"

#define MAP_TRIES 20
/* With less memory, smaps takes no longer than kernel memory. */
#define LARGE_KB (64u << 10)

static void close_reader(void *reader)
{
	mapping_flags_close(reader);
}

/*
 * Where the time for which the tree stands does not depend on how much memory it has, but on how much has changed:
 * in other dumps, the counts in smaps are worth their time, as they show how pages can be copied fast.
 */
int dump_prepare_mappings(struct dump *dump)
{
	int err;

	if (!dump_is_pre_dump(dump) && !dump->opts->parent_dir)
		return 0;
	err = mapping_flags_open(&dump->mapping_flags);
	if (!err && arena_defer(&dump->arena, close_reader, dump->mapping_flags)) {
		mapping_flags_close(dump->mapping_flags);
		dump->mapping_flags = NULL;
		err = -ENOMEM;
	}
	if (err)
		log_info("flags of mappings cannot be read from kernel memory (BPF): %s; smaps is read",
			 strerror(-err));
	return 0;
}

static bool is_read_fast(struct dump *dump, struct dump_task *dt)
{
	int err;

	if (!dump->mapping_flags || !dt->mm_owner || dt->status.vm_rss_kb < LARGE_KB)
		return false;
	err = mapping_flags_read(dump->mapping_flags, &dt->proc, &dt->maps, &dt->vma_flags);
	if (err)
		log_info("flags of mappings are read from smaps: %s", strerror(-err));
	else
		log_debug("flags of %zu mappings have been read from kernel memory", dt->maps.n);
	return !err;
}

int dump_read_mappings(struct dump *dump, struct dump_task *dt)
{
	int tries = MAP_TRIES, err;

	array_free(&dt->vma_flags);
	maps_free(&dt->maps);
	if (is_read_fast(dump, dt))
		return 0;
	/* While the task runs, a mapping may grow between two reads of the text, and appear twice then. */
	do {
		array_free(&dt->vma_flags);
		maps_free(&dt->maps);
		/* For a task that shares the memory of another one, only where the mappings are. */
		err = dt->mm_owner ? smaps_read(&dt->proc, &dt->maps, &dt->vma_flags) : maps_read(&dt->proc, &dt->maps);
	} while (err == -EBADMSG && --tries);
	return err < 0 ? fail(err, "read the map of this process") : 0;
}
