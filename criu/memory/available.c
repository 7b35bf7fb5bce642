/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Do this machine, and the control groups that the tree will be in, have the memory for it? Without an answer in advance, the kernel
 * gives it in the middle of the restore, by killing processes that it chooses.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <unistd.h>
#include "base/bits.h"
#include "base/cleanup.h"
#include "kernel/meminfo.h"
#include "memory/group_limits.h"
#include "memory/memory.h"
#include "memory/needs.h"
#include "run/cg_hierarchy.h"
#include "util/fds.h"
#include "util/log.h"
#include "util/proc_root.h"
#include "util/str.h"

/* Less is not worth a look at the groups: it is not more than what a restore itself may need. */
#define WORTH_A_LOOK (8ul << 20)
/* What threads that help to restore memory may have in buffers, in the whole tree. */
#define MEMORY_BESIDE (32ul << 20)
/* What has ended a moment ago may still be about to free its memory. */
#define TRIES 20
#define TRY_US 50000

/* Everything that the kernel could free, in the best case: more than MemAvailable, which is an estimate. */
static int most_available(uint64_t *ret_bytes)
{
	_cleanup_buf_ struct buf text = { 0 };
	uint64_t cache, shared, slab, files;
	int err = read_file(proc_root(), "meminfo", &text);

	if (err < 0)
		return err;
	slab = meminfo_kb(text.data, "\nSReclaimable:");
	cache = meminfo_kb(text.data, "\nCached:") + meminfo_kb(text.data, "\nBuffers:") + slab;
	shared = meminfo_kb(text.data, "\nShmem:");
	cache -= shared < cache ? shared : cache;
	/* Pages of programs that MADV_FREE was called for are among those of files. */
	files = meminfo_kb(text.data, "\nActive(file):") + meminfo_kb(text.data, "\nInactive(file):") + slab;
	cache = MAX_OF(cache, files);
	*ret_bytes = (meminfo_kb(text.data, "MemFree:") + meminfo_kb(text.data, "\nSwapFree:") + cache) << 10;
	return 0;
}

static int check_machine(uint64_t needed, const struct sysinfo *info, bool last)
{
	uint64_t available;

	/* In most cases this is the answer. */
	if (needed <= info->freeram * info->mem_unit || most_available(&available) < 0 || needed <= available)
		return 0;
	if (last)
		log_error("the tree needs at least %" PRIu64 " MiB of memory, and this machine has %" PRIu64
			  " MiB that are free or can be freed: end other programs, or add swap space",
			  needed >> 20, available >> 20);
	return -ENOMEM;
}

/* ---- control groups ---- */

static struct cg_hierarchy *find_hierarchy(struct restore *r, struct cg_hierarchies *all)
{
	_cleanup_buf_ struct buf text = { 0 };
	struct cg_hierarchy *h;

	if (read_file(proc_root(), "self/cgroup", &text) ||
	    cg_hierarchies_parse(text.data ?: "", text.len, &r->arena, all))
		return NULL;
	h = cg_hierarchy_of_memory(all);
	/* No restore fails since a limit cannot be read. */
	return h && !cg_hierarchy_find_mounted(all, h) ? h : NULL;
}

/* Both are in it, or below. */
static const char *common_group(struct restore *r, const char *a, const char *b)
{
	size_t len = cg_common_length(a, b);
	char *path = arena_alloc(&r->arena, len + 2);

	if (path)
		memcpy(path, len ? a : "/", len ?: 1);
	return path;
}

static int check_group(const struct limited_group *g, uint64_t needed, const struct sysinfo *info, bool last)
{
	struct group_shortage s;

	if (needed < WORTH_A_LOOK || !group_is_short(g, needed, info->freeswap * info->mem_unit, &s))
		return 0;
	if (last)
		log_error(
			"the tree needs at least %" PRIu64 " MiB of memory, and the cgroup %s has room for %" PRIu64
			" MiB: its %s is %" PRIu64 " MiB, of which %" PRIu64
			" MiB are used and cannot be freed: raise it, or restore the tree in another cgroup (--cgroup-root)",
			needed >> 20, s.path, s.room >> 20, s.file, s.limit >> 20, s.used >> 20);
	return -ENOMEM;
}

struct limits {
	struct sysinfo info;
	struct limited_group tasks, all; /* of private memory; of shared memory too, which the tool may fill */
	bool grouped;
};

static void find_groups(struct restore *r, const struct cg_hierarchy *h, struct limits *l)
{
	const char *tree = r->plan.memory_group ?: h->path;

	l->tasks = (struct limited_group){ .root = h->root, .v2 = cg_is_v2(h), .path = tree };
	l->tasks.exact = !r->plan.memory_group || r->plan.memory_group_exact;
	l->all = l->tasks;
	l->all.exact &= !strcmp(tree, h->path);
	l->all.path = l->all.exact ? tree : common_group(r, tree, h->path);
	l->grouped = l->all.path;
}

static int check_all(const struct memory_needs *needs, struct limits *l, bool last)
{
	int err = sysinfo(&l->info) ? 0 : check_machine(needs->private + needs->shared, &l->info, last);

	if (!err && l->grouped)
		err = check_group(&l->tasks, needs->private, &l->info, last);
	if (!err && l->grouped)
		err = check_group(&l->all, needs->private + needs->shared, &l->info, last);
	return err;
}

/* Page maps with parents are not kept: they may have some. */
static bool has_blocks(struct restore *r)
{
	const struct restore_task *rt;

	restore_for_each_task(rt, r)
		if (rt->mm && (!rt->pagemap || rt->pagemap->has_blocks))
			return true;
	return false;
}

static uint64_t rest(uint64_t room, uint64_t needed)
{
	return room - MIN_OF(room, needed);
}

/*
 * For what a restore needs beside the tree. Half of what is left: all else that it needs (page tables, our own processes) is not
 * counted.
 */
static uint64_t room_beside(const struct memory_needs *needs, const struct limits *l)
{
	const uint64_t all = needs->private + needs->shared;
	uint64_t room = l->info.freeram * l->info.mem_unit, available;

	if (room < all + 2 * MEMORY_BESIDE && !most_available(&available))
		room = available;
	room = rest(room, all);
	if (l->grouped) {
		room = MIN_OF(room, rest(group_room(&l->tasks), needs->private));
		room = MIN_OF(room, rest(group_room(&l->all), all));
	}
	return MIN_OF(room / 2, MEMORY_BESIDE);
}

int memory_check_available(struct restore *r)
{
	const struct memory_needs needs = memory_needs(r);
	struct cg_hierarchies own = { 0 };
	struct limits l = { .grouped = false };
	const bool decodes = has_blocks(r);
	struct cg_hierarchy *h = NULL;
	int err = -ENOMEM;

	/* Threads that decompress may need more than a small tree. */
	if (decodes || needs.private + needs.shared >= WORTH_A_LOOK)
		h = find_hierarchy(r, &own);
	if (h)
		find_groups(r, h, &l);
	for (int i = 1; err && i <= TRIES; i++) {
		err = check_all(&needs, &l, i == TRIES);
		if (err && i < TRIES)
			usleep(TRY_US); /* style: there is no event */
	}
	r->plan.memory_beside = !err && decodes ? room_beside(&needs, &l) : 0;
	cg_hierarchies_close(&own);
	return err;
}
