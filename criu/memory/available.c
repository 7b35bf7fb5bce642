/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Does this machine have the memory for a tree? Without an answer in advance, the kernel gives it in the middle of the
 * restore, by killing processes that it chooses. Limits of control groups are not considered.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysinfo.h>
#include "base/cleanup.h"
#include "memory/memory.h"
#include "pie/vma.h"
#include "util/fds.h"
#include "util/log.h"
#include "util/proc_root.h"
#include "util/str.h"

/* In kB; 0 if there is no such line. proc_meminfo(5) */
static uint64_t meminfo(const char *text, const char *name)
{
	const char *at = strstr(text, name);
	uint64_t kb;

	return at && sscanf(at + strlen(name), " %" SCNu64, &kb) == 1 ? kb : 0;
}

/* Everything that the kernel could free, in the best case: more than MemAvailable, which is an estimate. */
static int most_available(uint64_t *ret_bytes)
{
	_cleanup_buf_ struct buf text = { 0 };
	uint64_t cache, shared;
	int err = read_file(proc_root(), "meminfo", &text);

	if (err < 0)
		return err;
	cache = meminfo(text.data, "\nCached:") + meminfo(text.data, "\nBuffers:") +
		meminfo(text.data, "\nSReclaimable:");
	shared = meminfo(text.data, "\nShmem:");
	cache -= shared < cache ? shared : cache;
	*ret_bytes = (meminfo(text.data, "MemFree:") + meminfo(text.data, "\nSwapFree:") + cache) << 10;
	return 0;
}

int memory_check_available(const struct restore *r)
{
	uint64_t needed = (r->plan.private_pages + r->plan.shared_pages) * PAGE_SZ, available;
	struct sysinfo free;

	/* One call; in most cases it is the answer. */
	if (!sysinfo(&free) && needed <= free.freeram * free.mem_unit)
		return 0;
	if (most_available(&available) < 0 || needed <= available)
		return 0;
	log_error("the tree needs at least %" PRIu64 " MiB of memory, and this machine has %" PRIu64
		  " MiB that are free or can be freed: end other programs, or add swap space",
		  needed >> 20, available >> 20);
	return -ENOMEM;
}
