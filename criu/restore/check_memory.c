// SPDX-License-Identifier: GPL-2.0-only
/*
 * Is there enough memory? Of each process, as those of a tree may share what the images have several times: if one alone
 * is too large, it cannot be restored.
 */
#include "restore/check_memory.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "base/arch.h"
#include "run/obstacles.h"
#include "run/restore.h"
#include "util/fds.h"
#include "util/log.h"
#include "util/proc_root.h"
#include "util/str.h"

static uint64_t kilobytes(const char *text, const char *name)
{
	const char *at = strstr(text, name);

	return at ? strtoull(at + strlen(name), NULL, 10) : 0;
}

/* Bytes; ~0: unknown. */
static uint64_t available(void)
{
	_cleanup_buf_ struct buf text = { 0 };

	if (read_file(proc_root(), "meminfo", &text) || !text.len || !strstr(text.data, "\nMemAvailable:"))
		return ~0ull;
	return (kilobytes(text.data, "\nMemAvailable:") + kilobytes(text.data, "\nSwapFree:")) * 1024;
}

static uint64_t size_of(const struct pagemap *map)
{
	uint64_t pages = 0;

	for (size_t i = 0; i < map->nr_runs; i++)
		if (map->runs[i].flags & PAGEMAP_PRESENT)
			pages += map->runs[i].nr_pages;
	return pages * PAGE_SZ;
}

int check_memory(struct restore *r)
{
	const struct restore_task *rt;
	uint64_t most = available();

	restore_for_each_task(rt, r) {
		uint64_t size = rt->pagemap ? size_of(rt->pagemap) : 0;

		restore_is_about(r, "memory", rt, NULL);
		if (size > most)
			log_error("needs %" PRIu64 " MiB of memory, and this host has %" PRIu64
				  " MiB available, with swap: free memory, or add swap",
				  size >> 20, most >> 20);
	}
	return 0;
}
