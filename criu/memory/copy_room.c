// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <inttypes.h>
#include "base/cleanup.h"
#include "kernel/meminfo.h"
#include "memory/copy_room.h"
#include "memory/group_limits.h"
#include "run/cg_hierarchy.h"
#include "util/arena.h"
#include "util/fds.h"
#include "util/log.h"
#include "util/proc_root.h"

static int check_machine(uint64_t bytes, uint64_t *ret_swap)
{
	_cleanup_buf_ struct buf text = { 0 };
	uint64_t available;

	*ret_swap = 0;
	if (read_file(proc_root(), "meminfo", &text) || !text.len)
		return 0;
	*ret_swap = meminfo_kb(text.data, "\nSwapFree:") << 10;
	available = (meminfo_kb(text.data, "\nMemAvailable:") << 10) + *ret_swap;
	return bytes <= available ?
		       0 :
		       fail(-ENOMEM, "this machine has %" PRIu64 " MiB of memory left for a copy of shared memory",
			    available >> 20);
}

static int check_group(struct cg_hierarchies *all, uint64_t bytes, uint64_t swap)
{
	struct cg_hierarchy *h = cg_hierarchy_of_memory(all);
	struct group_shortage s;

	if (!h || cg_hierarchy_find_mounted(all, h))
		return 0;

	const struct limited_group group = { .root = h->root, .v2 = cg_is_v2(h), .exact = true, .path = h->path };

	if (!group_is_short(&group, bytes, swap, &s))
		return 0;
	return fail(-ENOMEM,
		    "the cgroup %s has room for %" PRIu64 " MiB, its %s is %" PRIu64
		    " MiB, and a copy of shared memory needs more: raise it, or run criu in another cgroup",
		    s.path, s.room >> 20, s.file, s.limit >> 20);
}

int copy_room_check(uint64_t bytes)
{
	_cleanup_buf_ struct buf text = { 0 };
	struct cg_hierarchies all = { 0 };
	struct arena arena;
	uint64_t swap;
	int err = check_machine(bytes, &swap);

	if (err || read_file(proc_root(), "self/cgroup", &text))
		return err;
	arena_init(&arena);
	if (!cg_hierarchies_parse(text.data ?: "", text.len, &arena, &all))
		err = check_group(&all, bytes, swap);
	cg_hierarchies_close(&all);
	arena_free(&arena);
	return err;
}
