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
